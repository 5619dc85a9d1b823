// The rep's page: keys answer outside of fields, what is typed survives a lost connection, new calls appear by themselves.
"use strict";
(() => {
  const main = document.getElementById("main");
  const pause = (ms) => new Promise((wake) => setTimeout(wake, ms));
  const token = () => document.querySelector('meta[name="csrf-token"]').content;
  const post = (address, fields) => fetch(address, { method: "POST", body: new URLSearchParams(fields), headers: { "X-CSRFToken": token() } });
  const kept = { read: (slot) => JSON.parse(sessionStorage.getItem(slot) ?? "null"), write: (slot, value) => sessionStorage.setItem(slot, JSON.stringify(value)), drop: (slot) => sessionStorage.removeItem(slot) };
  let place, form, source, slot, word, saving = false, news = [], trouble = null, heard = null, taken = false, turning = false, saved = null;

  // --- The page of one call. It is exchanged for the next one in place, so that nothing is loaded twice.
  const begin = () => {
    place = document.getElementById("ringing");
    form = document.getElementById("log");
    source = document.getElementById("source");
    word = (name) => place.dataset[`word${name}`];
    news = []; trouble = null; taken = false; saved = null;
    queueMicrotask(() => { document.dispatchEvent(new CustomEvent("rt:turned")); look(); });
    if (!form) { slot = null; return; }
    slot = `desk ${place.dataset.call}`;
    source.removeAttribute("list");
    for (const [name, value] of [["role", "combobox"], ["aria-controls", "fitting"], ["aria-autocomplete", "list"], ["aria-expanded", "false"]]) source.setAttribute(name, value);
    const draft = kept.read(slot);
    // The key of a draft that reached the server although its answer did not come back: it is saved.
    if (draft && form.dataset.kept && form.dataset.kept.endsWith(` ${draft.key}`)) kept.drop(slot);
    else if (draft) {
      form.elements.key.value = draft.key;
      for (const [name, value] of Object.entries(draft.fields)) {
        const field = form.elements[name];
        if (!field) continue;
        if (field.type === "checkbox") field.checked = value; else field.value = value;
      }
    }
    show();
    open(false);
    form.focus({ preventScroll: true });
  };
  const fields = () => {
    const found = {};
    for (const e of form.elements) if (e.name && !["hidden", "submit", "button"].includes(e.type)) {
      if (e.type === "checkbox") found[e.name] = e.checked;
      else if (e.type !== "radio" || e.checked) found[e.name] = e.value;
    }
    return found;
  };
  const keep = () => { if (form) kept.write(slot, { key: form.elements.key.value, fields: fields() }); };
  const changed = () => {
    // What was sent under a key stays what it was; what is changed after that goes under another.
    if (saving) form.elements.key.value = [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16).padStart(2, "0")).join("");
    keep(); show(); take_call();
  };
  const show = () => { for (const pick of form.querySelectorAll("[data-pick]")) pick.setAttribute("aria-pressed", String(pick.dataset.pick === source.value)); };
  const exchange = (text, address) => {
    const page = new DOMParser().parseFromString(text, "text/html"), left = place.dataset.open;
    document.title = page.title;
    document.querySelector('meta[name="csrf-token"]').content = page.querySelector('meta[name="csrf-token"]').content;
    main.replaceChildren(...page.getElementById("main").childNodes);
    htmx.process(main);
    history.replaceState(null, "", address);
    window.scrollTo(0, 0);
    begin();
    if (left && left !== place.dataset.open) post(left, { gone: "1" }).catch(() => {});
    if (!form) main.focus();
  };

  // --- Answers that fit what is typed.
  const list = () => document.getElementById("fitting");
  const close = () => { list().hidden = true; source.setAttribute("aria-expanded", "false"); source.removeAttribute("aria-activedescendant"); };
  const fit = () => {
    const typed = source.value.trim().toLocaleLowerCase();
    const all = [...document.querySelectorAll("#sources option")];
    const at = (option) => option.value.toLocaleLowerCase().indexOf(typed);
    // A word that callers use for it proposes an answer as well, once it is more than a beginning.
    const said = typed.split(/\s+/);
    const means = (words) => /\p{Script=Han}/u.test(words) ? typed.includes(words) || words.startsWith(typed)
      : words.includes(" ") ? typed.includes(words) || (typed.length > 3 && words.startsWith(typed))
      : said.some((each) => each.length > 2 && (words.startsWith(each) || (words.length > 3 && each.startsWith(words))));
    const meant = (option) => option.dataset.words?.split(",").some((words) => means(words.trim()));
    const found = typed ? all.filter((o) => (at(o) >= 0 || meant(o)) && o.value !== source.value).sort((a, b) => (at(a) < 0) - (at(b) < 0) || (at(a) > 0) - (at(b) > 0)).slice(0, 8) : [];
    list().replaceChildren(...found.map((option, n) => {
      const line = document.createElement("li");
      Object.assign(line, { id: `fits${n}`, role: "option", textContent: option.value });
      line.dataset.value = option.value;
      line.setAttribute("aria-selected", "false");
      if (option.label && option.label !== option.value) { const kind = document.createElement("span"); kind.className = "soft"; kind.textContent = ` ${option.label}`; line.append(kind); }
      return line;
    }));
    if (!found.length) { close(); return; }
    list().hidden = false;
    source.setAttribute("aria-expanded", "true");
    source.removeAttribute("aria-activedescendant");
  };
  const chosen = () => list().querySelector("[aria-selected=true]");
  const move = (step) => {
    const lines = [...list().children];
    const next = lines[(lines.indexOf(chosen()) + step + (chosen() || step > 0 ? 0 : 1) + lines.length) % lines.length];
    for (const line of lines) line.setAttribute("aria-selected", String(line === next));
    source.setAttribute("aria-activedescendant", next.id);
  };
  const take = (value) => { source.value = value; close(); changed(); form.focus(); };

  // --- Keys and clicks. Single keys act outside of fields only: they never touch what is typed.
  main.addEventListener("click", (event) => {
    const pick = event.target.closest("[data-pick]"), line = event.target.closest("#fitting li");
    if (pick) take(pick.dataset.pick);
    if (line) take(line.dataset.value);
  });
  main.addEventListener("mousedown", (event) => { if (event.target.closest("#fitting li")) event.preventDefault(); });
  main.addEventListener("focusout", (event) => { if (event.target === source) close(); });
  main.addEventListener("input", (event) => { if (!form?.contains(event.target)) return; changed(); if (event.target === source) fit(); });
  main.addEventListener("keydown", (event) => {
    if (!form?.contains(event.target)) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(form.querySelector("[data-save]")); return; }
    if (event.target !== source || event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    if (event.key === "Escape" && list().hidden) { event.preventDefault(); form.focus(); return; }
    if (!list().hidden) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); move(event.key === "ArrowDown" ? 1 : -1); return; }
      if (event.key === "Enter" && chosen()) { event.preventDefault(); take(chosen().dataset.value); return; }
      if (event.key === "Escape") { event.preventDefault(); close(); return; }
    }
  });
  document.addEventListener("keydown", (event) => {
    if (!form || event.altKey || event.ctrlKey || event.metaKey || !document.body.hasAttribute("data-shortcuts")) return;
    if (event.target.closest?.("input:not([type=radio], [type=checkbox]), select, textarea, dialog, [contenteditable]")) return;
    if (event.key === "Enter") { if (event.target === form || event.target === document.body) { event.preventDefault(); form.requestSubmit(form.querySelector("[data-save]")); } return; }
    if (event.key === "w") { event.preventDefault(); source.focus(); source.select(); return; }
    const pick = form.querySelector(`[data-digit="${CSS.escape(event.key)}"]`);
    const other = form.querySelector(`[data-letter="${CSS.escape(event.key)}"]`);
    if (!pick && !other) return;
    event.preventDefault();
    if (pick) take(pick.dataset.pick);
    else if (other.type === "radio") { other.checked = true; changed(); }
    else form.requestSubmit(other);
  });

  // What has been logged here, which older news may still say is ringing.
  const done = new Set();
  // --- Saving goes on until it has worked; the key in the form makes a repetition harmless.
  main.addEventListener("submit", async (event) => {
    if (event.target !== form) return;
    event.preventDefault();
    if (saving) return;
    saving = true;
    keep();
    const outcome = event.submitter?.name ? { [event.submitter.name]: event.submitter.value } : {};
    try {
      for (;;) {
        const mine = slot, key = form.elements.key.value;
        let answer, text;
        try {
          answer = await post(form.action, { ...Object.fromEntries(new FormData(form)), ...outcome });
          text = await answer.text();
        } catch { answer = null; }
        if (answer && answer.status < 500) {
          const ours = new URL(answer.url, location.href).pathname.startsWith(new URL(place.dataset.desk, location.href).pathname);
          if (answer.redirected && !ours) { trouble = { before: word("Out"), text: word("In"), href: `${place.dataset.signIn}?next=${encodeURIComponent(location.pathname + location.search)}` }; say(); return; }
          if (answer.ok && key === form.elements.key.value) { kept.drop(mine); saving = false; done.add(here()); exchange(text, answer.url); return; }
          if (answer.status === 409 || answer.status === 422) { kept.drop(mine); saving = false; exchange(text, location.href); keep(); return; }
          if (!answer.ok) { trouble = word("Refused"); say(); return; }
          continue; // changed while it was on its way
        }
        trouble = word("Offline");
        say();
        await pause(2000);
      }
    } finally { saving = false; }
  });

  // --- What is new, as the bell tells it.
  const say = () => {
    const lines = [...(trouble ? [trouble] : []), ...news];
    const text = JSON.stringify(lines);
    if (place.dataset.shown === text) return;
    place.dataset.shown = text;
    place.classList.toggle("offline", Boolean(trouble));
    place.replaceChildren(...lines.map((line) => {
      const p = document.createElement("p");
      if (typeof line === "string") p.textContent = line;
      else { const a = document.createElement("a"); a.href = line.href; a.textContent = line.text; p.append(line.before, " ", a); }
      return p;
    }));
  };
  const open = (takes) => { if (place.dataset.open) post(place.dataset.open, takes ? { takes: "1" } : {}).catch(() => {}); };
  // Whoever works on a call that is on the line has taken it: it rings nowhere any more.
  const take_call = () => { if (taken || !("live" in place.dataset)) return; taken = true; open(true); };
  const here = () => place.dataset.practice ?? place.dataset.call;
  const link = (call) => `${place.dataset.desk}?${call.practice ? "practice" : "call"}=${call.id.replace("practice-", "")}`;
  const look = async () => {
    if (!heard) return;
    if (heard.trouble === "Out") {
      if (!form) { location.reload(); return; }
      trouble ??= { before: word("Gone"), text: word("In"), href: `${place.dataset.signIn}?next=${encodeURIComponent(location.pathname + location.search)}` };
    } else if (heard.trouble === "Lost") trouble ??= word("Lost");
    else if (!saving && (trouble === word("Lost") || trouble?.before === word("Gone"))) trouble = null;
    const fresh = heard.ringing.filter((call) => call.id !== here() && !done.has(call.id));
    if (heard.ringing.some((call) => call.id === here() && call.alone)) take_call();
    // Nobody is at work on this page, so it may turn to the call by itself.
    const at_it = taken || heard.ringing.some((call) => call.id === here());
    const idle = !form || (!saving && !kept.read(slot) && source.value === "" && !at_it);
    if (fresh.length && idle && !turning) {
      turning = true;
      try {
        const was = place, page = await fetch(link(fresh[0])), text = await page.text();
        if (page.ok && !page.redirected && was === place && !(form && (saving || kept.read(slot)))) exchange(text, link(fresh[0]));
      } catch { /* the next news come */ } finally { turning = false; }
      return;
    }
    news = fresh.map((call) => ({ before: word("Ringing"), text: `${call.practice ? word("Practice") : call.title || word("Unknown")} – ${call.dialled}`, href: link(call) }));
    const mine = heard.open?.[place.dataset.call], state = document.getElementById("state");
    if (mine?.state && state && state.dataset.is !== mine.state) {
      state.dataset.is = mine.state;
      let sign, tone;
      [state.textContent, state.className, sign, tone] = (state.dataset[mine.state] ?? "||phone|none").split("|");
      const tile = state.closest(".rt-lead").querySelector(".rt-tile"), use = tile.querySelector("use");
      tile.className = tile.className.replace(/tone-\w+/, `tone-${tone}`);
      use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${sign}`));
      if (!["ringing", "answered"].includes(mine.state)) { delete place.dataset.live; state.closest(".card")?.classList.remove("live"); }
    }
    for (const name of mine?.others ?? []) news.push(`${name} ${word("Others")}`);
    if (mine?.saved && String(mine.saved) !== place.dataset.seen) {
      if (saved?.id !== mine.saved) {
        const was = place;
        try { const told = await (await fetch(place.dataset.logged)).json(); if (was !== place) return; saved = { ...told, id: mine.saved }; } catch { /* told with the next news */ }
      }
      if (saved) news.push(`${word("Saved")} ${saved.text}`);
    }
    say();
  };
  document.addEventListener("rt:bell", ({ detail }) => {
    heard = { ringing: detail.ringing, trouble: detail.trouble, open: detail.news ? detail.news.open : heard?.open };
    look();
  });
  addEventListener("pagehide", () => { if (place.dataset.open) navigator.sendBeacon(place.dataset.open, new URLSearchParams({ gone: "1", csrf_token: token() })); });
  addEventListener("pageshow", (event) => { if (event.persisted) open(taken); });
  begin();
  // Who asked for this very call takes it.
  if (new URLSearchParams(location.search).has("call")) take_call();
})();
