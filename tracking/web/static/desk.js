// The rep's page: digits pick an answer, what is typed survives a lost connection, new calls appear by themselves.
"use strict";
(() => {
  const place = document.getElementById("ringing");
  const form = document.getElementById("log");
  const word = (name) => place.dataset[`word${name}`];
  const token = document.querySelector('meta[name="csrf-token"]').content;

  // --- Keys, only while the question has the focus and is empty, so that words with digits can be typed.
  const source = document.getElementById("source");
  if (form) {
    const picked = () => {
      for (const button of form.querySelectorAll("[data-pick]")) button.setAttribute("aria-pressed", String(button.dataset.pick === source.value));
    };
    form.addEventListener("click", (event) => {
      const pick = event.target.closest("[data-pick]");
      if (pick) { source.value = pick.dataset.pick; source.focus(); picked(); keep(); }
    });
    source.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const chosen = [...form.querySelectorAll("[data-pick]")].some((button) => button.dataset.pick === source.value);
      if (source.value !== "" && !chosen) return;
      const pick = form.querySelector(`[data-digit="${CSS.escape(event.key)}"]`);
      const other = form.querySelector(`[data-letter="${CSS.escape(event.key)}"]`);
      if (!pick && !other) return;
      event.preventDefault();
      if (pick) { source.value = pick.dataset.pick; picked(); keep(); }
      else if (other.type === "radio") { other.checked = true; keep(); }
      else other.click();
    });
    form.addEventListener("keydown", (event) => { if (event.key === "Enter" && event.ctrlKey) { event.preventDefault(); form.requestSubmit(form.querySelector(".save")); } });

    // --- What is typed is kept per call until it is saved.
    const slot = `desk ${form.action}`;
    const fields = () => [...form.elements].filter((e) => e.name && e.type !== "hidden" && e.type !== "submit");
    const keep = () => sessionStorage.setItem(slot, JSON.stringify(fields().map((e) => (e.type === "radio" || e.type === "checkbox" ? e.checked : e.value))));
    const kept = JSON.parse(sessionStorage.getItem(slot) ?? "null");
    if (kept?.length === fields().length) fields().forEach((e, i) => { if (e.type === "radio" || e.type === "checkbox") e.checked = kept[i]; else if (kept[i]) e.value = kept[i]; });
    picked();
    form.addEventListener("input", () => { keep(); picked(); });

    // --- Saving goes on until it has worked; the key in the form makes a repetition harmless.
    let saving = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (saving) return;
      saving = true;
      const body = new FormData(form, event.submitter?.name ? event.submitter : undefined);
      for (;;) {
        try {
          const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(body), headers: { "X-CSRFToken": token } });
          if (answer.ok) { sessionStorage.removeItem(slot); location.assign(answer.url); return; }
          if (answer.status < 500) {
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            document.querySelector("main").replaceWith(page.querySelector("main"));
            sessionStorage.removeItem(slot);
            const again = document.createElement("script");
            again.src = document.querySelector('script[src*="desk.js"]').src;
            document.head.append(again);
            stopped = true;
            return;
          }
          throw new Error(String(answer.status));
        } catch {
          say([word("Offline")], true);
          await new Promise((wake) => setTimeout(wake, 2000));
        }
      }
    });
  }

  // --- What is new: every two seconds, and not while nobody looks.
  let stopped = false, shown = "";
  const say = (lines, offline = false) => {
    const text = JSON.stringify([lines, offline]);
    if (text === shown) return;
    shown = text;
    place.classList.toggle("offline", offline);
    place.replaceChildren(...lines.map((line) => {
      const p = document.createElement("p");
      if (typeof line === "string") p.textContent = line;
      else { const a = document.createElement("a"); a.href = line.href; a.textContent = line.text; p.append(line.before, " ", a); }
      return p;
    }));
  };
  const look = async () => {
    if (stopped) return;
    if (!document.hidden) {
      try {
        const body = new URLSearchParams({ call: place.dataset.call, csrf_token: token });
        const answer = await fetch(place.dataset.now, { method: "POST", body, headers: { "X-CSRFToken": token } });
        if (!answer.ok) throw new Error(String(answer.status));
        if (answer.redirected) { location.reload(); return; }
        const now = await answer.json();
        const fresh = now.ringing.filter((call) => String(call.id) !== place.dataset.call);
        // Nobody is at work on this page, so it may turn to the call by itself.
        const busy = now.ringing.some((call) => String(call.id) === place.dataset.call);
        const idle = !form || (!busy && !sessionStorage.getItem(`desk ${form.action}`) && source.value === "");
        if (fresh.length && idle) { location.assign(`${place.dataset.desk}?call=${fresh[0].id}`); return; }
        const lines = fresh.map((call) => ({ before: word("Ringing"), text: `${call.title || word("Unknown")} – ${call.dialled}`, href: `${place.dataset.desk}?call=${call.id}` }));
        if (now.others.length) lines.push(`${now.others.join(", ")} ${word("Others")}`);
        if (now.saved !== null && String(now.saved) !== place.dataset.seen) lines.push(word("Saved"));
        say(lines);
      } catch {
        say([word("Offline")], true);
      }
    }
    setTimeout(look, 2000);
  };
  look();
})();
