"""From a point of a page to its run in MLflow, within what MLflow's frame for artifacts allows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

NOTE = (
    "In MLflow: click a point to choose its trial; Ctrl-click, Cmd-click or middle-click a point "
    "or a trial's number to open its run in a new tab (a plain click cannot leave this frame)."
)
# MLflow shows artifacts from a blob: address whose path names the server, in a frame without the
# right to open windows by script or plain click; what a person opens in a new tab is allowed.
SCRIPT = """
(()=>{const here=location.protocol==='blob:';
const base=here?new URL(location.pathname).origin+PREFIX:BASE;
if(!base)return;
document.getElementById('in-mlflow').hidden=!here;
const plain=e=>!(e.ctrlKey||e.metaKey||e.shiftKey||e.button);
const link=(space,number)=>{
const a=document.createElementNS('http://www.w3.org/'+space,'a');
for(const [name,value] of Object.entries({href:base+RUNS[number],target:'_blank',rel:'noopener',
class:'run'}))a.setAttribute(name,value);
a.addEventListener('click',e=>{if(here&&plain(e))e.preventDefault()});
return a};
const known=selector=>[...document.querySelectorAll(selector)].filter(e=>e.dataset.trial in RUNS);
known('.mark').forEach(mark=>{const a=link('2000/svg',mark.dataset.trial);
a.setAttribute('tabindex','-1');mark.replaceWith(a);a.append(mark)});
known('tr').forEach(row=>{const cell=row.cells[0],a=link('1999/xhtml',row.dataset.trial);
a.append(...cell.childNodes);cell.append(a)})})();
"""


@dataclass(frozen=True)
class RunLinks:
    """Where the runs of trials are in MLflow.

    Attributes:
        runs: address of each trial's run by number, from the server's address on
            (``#/experiments/1/runs/…``).
        base: the server's address, ending in a slash; empty where it is not known.
        prefix: path under which the server has its pages; ``/`` where it has none.
    """

    runs: Mapping[int, str]
    base: str = ""
    prefix: str = "/"

    @property
    def note(self) -> str:
        """For above a table: how a point leads to its run; shown where MLflow shows the page."""
        return f'<p class="note" id="in-mlflow" hidden>{NOTE}</p>'

    @property
    def script(self) -> str:
        """For the end of a page: makes its points and rows lead to their runs."""
        known = {"RUNS": self.runs, "BASE": self.base, "PREFIX": self.prefix}
        # an address may hold anything; "<" would let it out of the script
        values = "".join(
            f"const {name}={json.dumps(value).replace('<', chr(92) + 'u003c')};"
            for name, value in known.items()
        )
        return f"<style>a.run{{color:inherit}}</style><script>{{{values}{SCRIPT}}}</script>"
