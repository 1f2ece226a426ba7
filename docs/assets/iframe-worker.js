/* A page that was opened from disk may not start a worker: run the search's script in a frame. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.documentElement.appendChild(frame);
      this.inner = frame.contentWindow;
      addEventListener("message", (event) => {
        if (event.source !== this.inner) return;
        this.dispatchEvent(new MessageEvent("message", { data: event.data }));
        if (this.onmessage) this.onmessage(event);
      });
      const load = (src) =>
        new Promise((done, failed) => {
          const script = this.inner.document.createElement("script");
          Object.assign(script, { src, onload: done, onerror: failed });
          this.inner.document.body.appendChild(script);
        });
      this.inner.postMessage = (data) =>
        dispatchEvent(new MessageEvent("message", { data, source: this.inner }));
      this.inner.importScripts = (...urls) =>
        urls.reduce((before, src) => before.then(() => load(new URL(src, url))), Promise.resolve());
      this.ready = load(url);
    }
    postMessage(data) {
      this.ready.then(() =>
        this.inner.dispatchEvent(new MessageEvent("message", { data: structuredClone(data) })));
    }
    terminate() {}
  };
}
