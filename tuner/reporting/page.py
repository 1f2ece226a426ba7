"""The frame of every page: one file, no request to anywhere, light and dark, phone and paper."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

STYLE = """
:root{--paper:#fff;--ink:#1d2330;--faint:#667085;--line:#e3e6eb;--soft:#f5f6f8;--front:#c8102e;
--dot:#a3aab5;--b0:#1f5fa8;--b1:#b36b00;--b2:#0f7b6c;--b3:#7a3fa0;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--paper:#14171d;--ink:#e8eaee;--faint:#9aa3b2;--line:#2b313b;
--soft:#1c2129;--front:#ff5f72;--dot:#6b7482;--b0:#74b0ff;--b1:#f0b44c;--b2:#4fd1bd;--b3:#c79bff}}
*{box-sizing:border-box} body{margin:0 auto;padding:2rem 1.25rem
4rem;max-width:70rem;background:var(--paper);color:var(--ink); font:16px/1.55
system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .3rem}h2{font-size:1.2rem;margin:2.8rem 0 .6rem}
p{max-width:46rem;margin:.5rem 0}.note{color:var(--faint);font-size:.875rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.75rem;margin:1.5rem
0} .tiles div{background:var(--soft);border-radius:.6rem;padding:.7rem .9rem} .tiles
b{display:block;font-size:1.45rem;line-height:1.3}.tiles span{color:var(--faint);font-size:.82rem}
dl{display:grid;grid-template-columns:minmax(7rem,auto) 1fr;gap:.25rem 1.25rem;margin:.6rem 0}
dt{color:var(--faint)}dd{margin:0;overflow-wrap:anywhere} .wide{overflow-x:auto;margin:.8rem 0}
table{border-collapse:collapse;font-size:.85rem;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.34rem .5rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
th{color:var(--faint);font-weight:500;vertical-align:bottom}
td.text,th.text{text-align:left}td.prose{white-space:normal;text-align:left;min-width:16rem} td
small{color:var(--faint);display:block;font-size:.75rem;line-height:1.2} tr.knee
td{font-weight:650}tr.part th{text-align:left;padding-top:1rem;color:var(--ink)}
td.share b{display:inline-block;width:2.6rem;text-align:right;margin-right:.6rem;font-weight:500}
td.share span{display:inline-block;width:6rem}td.share i{display:block;height:.7rem;min-width:1px;
border-radius:0 3px 3px 0;background:color-mix(in srgb,var(--b0) 65%,transparent)}
h3{font-size:1rem;margin:1.4rem 0 .4rem}.small+.small,.small+.wide{margin-top:1.2rem}
code{background:var(--soft);border-radius:.3rem;padding:.1rem .3rem;font-size:.875em}
tr[data-trial]{cursor:pointer}tr.chosen td{background:color-mix(in srgb,var(--front)
14%,transparent)} pre{background:var(--soft);border-radius:.6rem;padding:.9rem
1rem;overflow-x:auto;font-size:.85rem} details
summary{cursor:pointer;color:var(--faint);margin:.6rem 0}
figure.main{max-width:54rem}svg{display:block;width:100%;height:auto;overflow:visible} svg
text{fill:var(--faint);font-size:13px}svg .grid{stroke:var(--line)} svg
.stairs{fill:none;stroke:var(--front);stroke-width:2} svg .mark
path{vector-effect:non-scaling-stroke;stroke:var(--paper);stroke-width:1} svg .searched
path{fill:var(--dot)}svg .key path{stroke:none}svg .front path{fill:var(--front)} svg .baseline
path{fill:var(--paper);stroke:currentColor;stroke-width:2.4} svg
.ring{fill:none;stroke:var(--front);stroke-width:1.5}svg .word{fill:var(--front)} svg
.mark{cursor:pointer;outline:none}svg .mark:hover path,svg .mark:focus path,svg .mark.chosen path{
stroke:var(--ink);stroke-width:2.4}
.b0{color:var(--b0)}.b1{color:var(--b1)}.b2{color:var(--b2)}.b3{color:var(--b3)}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.3rem;margin:.4rem 0
1rem;font-size:.875rem;padding:0} .legend
li{list-style:none;display:flex;align-items:center;gap:.45rem} .legend
svg{width:16px;height:16px;flex:none}
#tip{position:fixed;display:none;white-space:pre-line;pointer-events:none;z-index:9;max-width:20rem;
background:var(--ink);color:var(--paper);padding:.5rem .7rem;border-radius:.45rem;font-size:.8rem}
.small{display:grid;grid-template-columns:repeat(auto-fill,minmax(12.5rem,1fr));gap:1rem 1.25rem}
figure{margin:0}figcaption{font-size:.82rem;color:var(--faint)}.small svg text{font-size:11px}
@media(max-width:40rem){body{padding:1.2rem .9rem 3rem}.chart text{font-size:21px} .chart .mark
path,.chart .ring{transform:scale(1.5)}dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}
.small{grid-template-columns:1fr 1fr}.small svg text{font-size:13px}} @media
print{:root{--paper:#fff;--ink:#000;--faint:#444;--line:#ccc;--soft:#f3f3f3;--front:#c8102e;
--dot:#999;--b0:#1f5fa8;--b1:#b36b00;--b2:#0f7b6c;--b3:#7a3fa0}html{font-size:11px}body{max-width:none;padding:0;font-size:11px}
.small{grid-template-columns:repeat(4,1fr)}
h2{break-after:avoid}figure,tr,pre,.tiles{break-inside:avoid}.wide{overflow:visible}
th,td{padding:.2rem .35rem}pre{white-space:pre-wrap}}
"""

SCRIPT = """
const tip=document.getElementById('tip'),all=s=>[...document.querySelectorAll(s)];
const show=(mark,x,y)=>{tip.textContent=mark.dataset.tip;tip.style.display='block';
tip.style.left=Math.max(8,Math.min(x+14,innerWidth-tip.offsetWidth-8))+'px';
tip.style.top=Math.max(8,Math.min(y+14,innerHeight-tip.offsetHeight-8))+'px'};
const hide=()=>{tip.style.display='none'};
const
choose=number=>all('[data-trial]').forEach(e=>e.classList.toggle('chosen',e.dataset.trial===number));
const reveal=number=>{const row=document.getElementById('trial-'+number);if(!row)return; const
fold=row.closest('details');if(fold)fold.open=true;row.scrollIntoView({block:'center',behavior:'smooth'})};
all('.mark').forEach(mark=>{mark.onmousemove=e=>show(mark,e.clientX,e.clientY);mark.onmouseleave=hide;
mark.onfocus=()=>{const
box=mark.getBoundingClientRect();show(mark,box.right,box.bottom)};mark.onblur=hide; const
go=()=>{choose(mark.dataset.trial);reveal(mark.dataset.trial)};mark.onclick=go;
mark.onkeydown=e=>{if(e.key==='Enter')go()}});
all('tr[data-trial]').forEach(row=>{row.onclick=()=>choose(row.dataset.trial)});
"""

# the browser itself then refuses any request, whatever a name in the study holds
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)


def page(title: str, body: str) -> str:
    """A whole HTML document.

    Args:
        title: plain text, escaped here.
        body: HTML, already escaped.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f'<body>{body}<div id="tip" role="status"></div><script>{SCRIPT}</script></body></html>\n'
    )


def note(text: str) -> str:
    """A paragraph in small print, from plain text."""
    return f'<p class="note">{escape(text)}</p>'


def definitions(facts: Mapping[str, str]) -> str:
    """Names and what they are, as a list."""
    rows = (f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    return f"<dl>{''.join(rows)}</dl>"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, prose: int = -1) -> str:
    """A plain table of text; the first column and the column ``prose`` are left-aligned."""
    head = "".join(f'<th class="text">{escape(heading)}</th>' for heading in headings)
    body = "".join(f"<tr>{''.join(_cells(row, prose))}</tr>" for row in rows)
    return scrolling_table(head, body)


def scrolling_table(head: str, body: str) -> str:
    """A table that scrolls by itself where the page is narrow.

    Args:
        head: cells of the heading, HTML.
        body: rows, HTML.
    """
    rows = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table>{rows}</table></div>'


def _cells(row: Sequence[str], prose: int) -> Iterable[str]:
    for column, text in enumerate(row):
        yield f'<td class="{"prose" if column == prose else "text"}">{escape(text)}</td>'
