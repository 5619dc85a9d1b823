// One for all tabs of a browser (a shared worker), or one for each where a browser has none: asks what rings, and tells
// the tabs. The server holds the question until there is something new, so nothing is asked twice for nothing.
"use strict";
(() => {
  const tabs = new Map();
  let address = "", mark = "", news = null, asking = false, question = null, rung = new Set();
  const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));
  const tell = (message) => { for (const port of tabs.keys()) port.postMessage(message); };
  const calls = () => [...new Set([...tabs.values()].map((tab) => tab.call).filter(Boolean))].sort().join(",");

  // One sound, one notification: from the tab that may make a sound, is seen, and was used last.
  const spokesman = () => [...tabs].sort(([, a], [, b]) => b.able - a.able || b.seen - a.seen || b.used - a.used)[0]?.[0];
  const announce = () => {
    const ringing = news.ringing.filter((call) => call.status === "ringing");
    const fresh = ringing.filter((call) => !rung.has(call.id));
    rung = new Set(ringing.map((call) => call.id));
    const speaks = fresh.length ? spokesman() : null;
    const seen = [...tabs.values()].some((tab) => tab.seen);
    for (const port of tabs.keys()) port.postMessage({ news, ring: port === speaks ? fresh[0] : null, seen });
  };

  const ask = async () => {
    if (asking) return;
    asking = true;
    while (tabs.size) {
      const began = Date.now(), asked = calls();
      question = new AbortController();
      try {
        const answer = await fetch(`${address}?${new URLSearchParams({ mark, calls: asked })}`, { headers: { "HX-Request": "true" }, cache: "no-store", signal: question.signal });
        if (answer.status === 401 || answer.status === 403) { mark = ""; news = null; tell({ out: true }); break; }
        if (answer.status === 200) { news = await answer.json(); mark = answer.headers.get("ETag")?.replaceAll(/^W\/|"/g, "") ?? ""; announce(); }
        else if (answer.status !== 204) throw new Error(String(answer.status));
        else tell({ back: true });
        // A server that holds no question is not asked more than once a second.
        if (answer.status === 204 && Date.now() - began < 900) await pause(900);
      } catch (error) {
        if (error.name === "AbortError") continue;
        tell({ lost: true });
        await pause(2000);
      }
    }
    asking = false;
  };

  const heard = (port, said) => {
    if (said.leaves) { tabs.delete(port); return; }
    const before = calls();
    const fresh = !tabs.has(port);
    tabs.set(port, { call: said.call, seen: said.seen, able: said.able, used: said.seen ? Date.now() : tabs.get(port)?.used ?? 0 });
    address = said.address;
    if (fresh && news) port.postMessage({ news, ring: null, seen: true });
    if (asking && before !== calls()) question?.abort();
    ask();
  };
  if ("onconnect" in self) self.onconnect = (event) => { const port = event.ports[0]; port.onmessage = (message) => heard(port, message.data); };
  else self.onmessage = (message) => heard(self, message.data);
})();
