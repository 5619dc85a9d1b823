// A call that rings shows on every page: beside Desk in the menu, in the title, as a notice; with a sound and, where the user
// has agreed, as a notification of the browser. Its words stand in the page.
"use strict";
(() => {
  const place = document.getElementById("bell");
  if (!place) return;
  const word = (name) => place.dataset[`word${name}`];
  const store = { get: (key) => { try { return localStorage.getItem(key); } catch { return null; } }, set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* kept for this page only */ } } };
  let audio = null, muted = store.get("rt-muted") === "1", shown = "", ringing = [], trouble = null, prefix = "";

  // --- What is shown.
  const link = (call) => `${place.dataset.desk}?${call.practice ? "practice" : "call"}=${call.id.replace("practice-", "")}`;
  const who = (call) => (call.practice ? word("Practice") : call.title || word("Unknown"));
  const titled = () => {
    if (prefix && document.title.startsWith(prefix)) document.title = document.title.slice(prefix.length);
    prefix = ringing.length ? `${ringing.length > 1 ? `(${ringing.length}) ` : ""}☎ ${who(ringing[0])} – ` : "";
    document.title = prefix + document.title;
  };
  const line = (call) => {
    const row = document.getElementById("bell-call").content.firstElementChild.cloneNode(true);
    row.querySelector("strong").textContent = who(call);
    row.querySelector(".soft").textContent = `${call.status === "answered" ? word("Answered") : word("Ringing")} ${call.dialled}`;
    row.querySelector("a").href = link(call);
    return row;
  };
  const show = () => {
    for (const count of document.querySelectorAll("[data-count=ringing]")) count.textContent = ringing.length || "";
    titled();
    // At the desk the page itself says it, and turns to the call.
    const lines = document.getElementById("ringing") ? [] : ringing.slice(0, 3);
    const text = JSON.stringify([lines, trouble, muted]);
    if (text === shown) return;
    shown = text;
    place.replaceChildren(...lines.map(line));
    if (lines.length) {
      const mute = document.getElementById("bell-mute").content.firstElementChild.cloneNode(true);
      mute.textContent = muted ? word("Unmute") : word("Mute");
      place.append(mute);
    } else if (trouble && !document.getElementById("ringing")) {
      const p = document.createElement("p");
      p.textContent = word(trouble);
      if (trouble === "Out") { const a = document.createElement("a"); a.href = `${place.dataset.signIn}?next=${encodeURIComponent(location.pathname + location.search)}`; a.textContent = word("In"); p.append(" ", a); }
      place.append(p);
    }
  };

  // --- The sound: browsers let a page make one once its user has done something on it.
  const wake = () => {
    const Context = window.AudioContext;
    if (!Context) return;
    audio ??= new Context();
    if (audio.state === "suspended") audio.resume().then(say, () => {});
  };
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, wake, { once: true, capture: true });
  const sound = () => {
    if (muted) return;
    wake();
    if (!audio) return;
    // Two short rings of two tones, at half the loudness.
    for (const start of [0, 0.7]) for (const pitch of [440, 554]) {
      const tone = audio.createOscillator(), loud = audio.createGain(), at = audio.currentTime + start;
      tone.frequency.value = pitch;
      loud.gain.setValueAtTime(0, at);
      loud.gain.linearRampToValueAtTime(0.12, at + 0.03);
      loud.gain.setValueAtTime(0.12, at + 0.4);
      loud.gain.linearRampToValueAtTime(0, at + 0.45);
      tone.connect(loud).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.5);
    }
  };
  const notify = (call) => {
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    try {
      const note = new Notification(who(call), { body: call.dialled, tag: `ringtrail-${call.id}`, icon: place.dataset.icon, silent: true });
      note.onclick = () => { window.focus(); location.href = link(call); note.close(); };
    } catch { /* some telephones know notifications of installed pages only */ }
  };
  // Where each tab asks for itself, whoever is first speaks for all.
  const mine = (call) => {
    if (window.SharedWorker) return true;
    if (store.get("rt-rang") === call.id) return false;
    store.set("rt-rang", call.id);
    return true;
  };

  // --- The worker that asks.
  const worker = window.SharedWorker ? new SharedWorker(place.dataset.worker).port : new Worker(place.dataset.worker);
  const say = () => worker.postMessage({ address: place.dataset.bell, call: Number(document.getElementById("ringing")?.dataset.call) || 0, seen: !document.hidden, able: Number(audio?.state === "running") });
  worker.onmessage = ({ data }) => {
    if (data.out) { ringing = []; trouble = "Out"; }
    else if (data.lost) trouble = "Lost";
    else trouble = null;
    if (data.news) {
      // Somebody else has signed in since this page was opened: what rings at him is not for it.
      const same = String(data.news.user) === place.dataset.user;
      ringing = same ? data.news.ringing : [];
      if (!same) trouble = "Out";
      if (same && data.ring && mine(data.ring)) { sound(); if (!data.seen) notify(data.ring); }
    }
    show();
    document.dispatchEvent(new CustomEvent("rt:bell", { detail: { ...data, ringing, trouble } }));
  };
  worker.start?.();
  say();
  document.addEventListener("visibilitychange", say);
  // The desk has turned to another call.
  document.addEventListener("rt:turned", () => { prefix = ""; say(); shown = ""; show(); });
  addEventListener("pagehide", () => worker.postMessage({ leaves: true }));
  addEventListener("pageshow", (event) => { if (event.persisted) say(); });

  // --- Mute, and what the account page sets.
  const box = document.getElementById("bell-sound"), agree = document.getElementById("bell-agree");
  const mute = (off) => { muted = off; store.set("rt-muted", off ? "1" : "0"); if (box) box.checked = !off; show(); };
  place.addEventListener("click", (event) => { if (event.target.closest("[data-mutes]")) { mute(!muted); place.querySelector("[data-mutes]").focus(); } });
  addEventListener("storage", (event) => { if (event.key === "rt-muted") { muted = event.newValue === "1"; if (box) box.checked = !muted; show(); } });
  if (box) { box.checked = !muted; box.addEventListener("change", () => { mute(!box.checked); if (box.checked) sound(); }); }
  const agreed = () => {
    const state = "Notification" in window && window.isSecureContext ? Notification.permission : "none";
    for (const part of document.querySelectorAll("[data-notifies]")) part.hidden = part.dataset.notifies !== state;
  };
  if (agree) { agreed(); agree.addEventListener("click", async () => { await Notification.requestPermission(); agreed(); }); }
})();
