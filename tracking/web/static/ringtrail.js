// What every page does by itself: forged requests are refused by a header, single keys do things, "?" shows which.
// Pages bind keys with data-key="n" on a link or button; nothing here knows a particular page.
"use strict";
(() => {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  document.addEventListener("htmx:config:request", (event) => {
    const headers = event.detail?.ctx?.request?.headers;
    if (headers) headers["X-CSRFToken"] = token;
  });

  const typing = (target) => target.closest?.("input, select, textarea, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if (!document.body.hasAttribute("data-shortcuts")) return;
    // Bare keys only: with Alt, Ctrl or Meta they belong to the browser.
    if (event.altKey || event.ctrlKey || event.metaKey || typing(event.target)) return;
    if (event.key === "?") { document.getElementById("keys")?.showModal(); event.preventDefault(); return; }
    const bound = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!bound || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    if (bound.matches("input, select, textarea")) bound.focus(); else bound.click();
  });

  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens)?.showModal();
    if (event.target.closest?.("[data-closes]")) event.target.closest("dialog")?.close();
    if (event.target.closest?.("[data-print]")) window.print();
    const toggle = event.target.closest?.("[data-toggles]");
    if (toggle) {
      const place = document.getElementById(toggle.dataset.toggles);
      const open = place.classList.toggle("open");
      toggle.setAttribute("aria-expanded", String(open));
      if (open) place.querySelector("nav a")?.focus();
    }
  });

  // Figures that are being worked out are shown once they are there; whoever has typed something is asked first.
  const pending = document.querySelector("[data-pending]");
  if (pending) {
    let typed = false;
    document.addEventListener("input", () => { typed = true; });
    const look = async () => {
      if (!document.hidden) {
        const answer = await fetch(pending.dataset.pending, { cache: "no-store" }).catch(() => null);
        if (answer?.status === 200 && !answer.redirected) {
          if (!typed) { location.reload(); return; }
          const link = document.createElement("a");
          link.href = location.href;
          link.textContent = pending.dataset.wordShow;
          pending.replaceChildren(pending.dataset.wordReady, " ", link);
          return;
        }
      }
      setTimeout(look, 3000);
    };
    setTimeout(look, 3000);
  }

  // A form that asks first: data-confirm holds the question.
  document.addEventListener("submit", (event) => {
    const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  // A choice that acts at once, for filters: the form it stands in is sent.
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-sends]")) event.target.form.requestSubmit();
  });
})();
