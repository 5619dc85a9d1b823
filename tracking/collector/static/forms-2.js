/* Ringtrail: tells where a form was filled in, and asks how its sender heard of you. docs/web.md describes it. */
(() => {
  "use strict";
  if (window.RingtrailForms) return;
  const script = document.currentScript;
  const given = window.ringtrail || {};
  const option = (name) => (script && script.getAttribute(`data-${name}`)) || given[name] || "";
  const site = option("site");
  const base = (option("url") || (script ? script.src.replace(/\/c\/\d+\/forms\.js.*$/, "") : "")).replace(/\/$/, "");
  if (!site || !base) return;

  const target = `${base}/c/${site}/form`;
  const MARKED = "form[data-ringtrail=form]";
  const ASKS = "[data-ringtrail=heard]";
  const TAGS = /^(?:utm_(?:source|medium|campaign)|gclid|gbraid|wbraid|msclkid|yclid|fbclid|li_fat_id|ttclid|rt)$/i;
  const KINDS = {
    email: "email", tel: "phone", organization: "company", name: "person", "given-name": "first_name", "family-name": "last_name",
  };
  const SECRET = /^(?:password|file|submit|button|reset|image)$/;
  const isSecret = (field) => SECRET.test(field.type) || field.closest("[data-ringtrail=off]")
    || /\bcc-|password|one-time-code/i.test(field.autocomplete);
  const QUESTION = {
    en: ["Where did you hear about us?", "Please choose", "Something else", "Please say where", "I don’t know", {
      search: "Web search", referral: "Referral", "existing customer": "Existing customer", fair: "Trade show", print: "Print",
      directory: "Directory", email: "Newsletter" }],
    sv: ["Var hörde du talas om oss?", "Välj", "Något annat", "Skriv gärna var", "Vet inte", {
      search: "Webbsökning", referral: "Rekommendation", "existing customer": "Befintlig kund", fair: "Mässa", print: "Tryck",
      directory: "Branschregister", email: "Nyhetsbrev" }],
    ru: ["Откуда вы о нас узнали?", "Выберите", "Другое", "Напишите, откуда", "Не знаю", {
      search: "Поиск в интернете", referral: "Рекомендация", "existing customer": "Действующий клиент", fair: "Выставка",
      print: "Печать", directory: "Справочник", email: "Рассылка" }],
    zh: ["您从哪里得知我们？", "请选择", "其他", "请写明从哪里", "不清楚", {
      search: "网络搜索", referral: "推荐", "existing customer": "老客户", fair: "展会", print: "印刷品", directory: "行业名录",
      email: "电子简报" }],
  };
  const seen = new WeakMap(); // of each form: when it was first seen, its id, and what was sent with that id

  const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
  const quiet = () => navigator.globalPrivacyControl === true || navigator.doNotTrack === "1";
  const visitor = () => {
    if (quiet()) return "";
    if (window.Ringtrail) return window.Ringtrail.visitor() || "";
    const found = document.cookie.split("; ").find((each) => each.startsWith("ringtrail="));
    return found ? found.slice("ringtrail=".length) : "";
  };
  // Of the address only what tells where a visit came from; the rest of the query stays in the browser.
  const address = () => {
    const kept = new URLSearchParams();
    for (const part of [location.search.slice(1), location.hash.split("?")[1] || ""])
      for (const [name, value] of new URLSearchParams(part)) if (TAGS.test(name)) kept.append(name, value);
    const query = kept.toString();
    return (location.origin + location.pathname + (query ? `?${query}` : "")).slice(0, 4000);
  };
  const referrer = () => {
    try {
      const url = new URL(document.referrer);
      return url.origin === "null" ? "" : (url.origin + url.pathname).slice(0, 4000);
    } catch (_) {
      return "";
    }
  };

  // By attribute: a field called "action" hides the property.
  const isOurs = (form) => {
    try {
      return new URL(form.getAttribute("action") || "", document.baseURI).href.startsWith(`${base}/c/`);
    } catch (_) {
      return false;
    }
  };
  const isPosted = (form) => (form.getAttribute("method") || "get").toLowerCase() === "post";
  const isMeant = (form) => {
    if (form.dataset.ringtrail === "off") return false;
    if (isOurs(form) || form.matches(MARKED)) return true;
    try {
      return option("forms") !== "" && form.matches(option("forms"));
    } catch (_) {
      return false; // no selector
    }
  };
  const hints = (form) => {
    const found = {};
    for (const field of form.elements) {
      const complete = (field.getAttribute("autocomplete") || "").split(" ").pop();
      const kind = field.getAttribute("data-ringtrail") || KINDS[complete] || KINDS[field.type];
      if (field.name && kind && !field.name.startsWith("rt-")) found[field.name] = kind;
    }
    return found;
  };
  const gathered = (pairs) => {
    const found = {};
    for (const [name, value] of pairs)
      for (const one of [value].flat()) if (one != null && Object(one) !== one) (found[name] = found[name] || []).push(one);
    return found;
  };
  const values = (form) => {
    const secret = [...form.elements].filter(isSecret).map((field) => field.name);
    return gathered([...new FormData(form)].filter(([name]) => !name.startsWith("rt-") && !secret.includes(name)));
  };
  // What form builders hand out: a list of names with values, FormData, or an object.
  const told = (fields) => gathered(Array.isArray(fields) ? fields.map(({ name, value }) => [name, value])
    : fields instanceof FormData ? fields : Object.entries(fields));
  const about = (form, fields) => {
    const state = (form && seen.get(form)) || { at: performance.now() - 1e9, id: random() };
    const content = JSON.stringify(fields);
    // The same again is the same form; other words are another one.
    if (state.sent !== undefined && state.sent !== content) state.id = random();
    state.sent = content;
    return {
      "rt-visitor": visitor(), "rt-page": address(), "rt-referrer": referrer(), "rt-id": state.id,
      "rt-ms": String(Math.round(Math.min(performance.now() - state.at, 1e8))),
      "rt-fields": form ? JSON.stringify(hints(form)) : "",
    };
  };
  const own = (form) => {
    const found = {};
    for (const name of ["rt-heard", "rt-heard-other", "rt-homepage"]) {
      const field = form.elements.namedItem(name);
      if (field) found[name] = field.value;
    }
    return found;
  };
  const post = (fields) => fetch(target, {
    method: "POST", body: JSON.stringify(fields), credentials: "omit", keepalive: true, referrerPolicy: "no-referrer",
  }).then((answer) => answer.ok).catch(() => false);

  const hidden = (form, name, value) => {
    let field = form.elements.namedItem(name);
    if (!field) {
      field = document.createElement("input");
      field.type = "hidden";
      field.name = name;
      form.append(field);
    }
    if (field.value !== value) field.value = value;
  };
  // A field that people do not see, and programs fill in. Styled by properties, which every policy allows.
  const trap = (form) => {
    if (form.elements.namedItem("rt-homepage")) return;
    const field = document.createElement("input");
    field.name = "rt-homepage";
    field.tabIndex = -1;
    field.autocomplete = "off";
    field.setAttribute("aria-hidden", "true");
    Object.assign(field.style, { position: "absolute", left: "-9999px", width: "1px", height: "1px", opacity: "0" });
    form.append(field);
  };
  const ask = (place) => {
    if (place.firstElementChild) return;
    const spoken = (place.closest("[lang]") || document.documentElement).lang.slice(0, 2).toLowerCase();
    const [question, choose, other, where, unknown, sources] = QUESTION[spoken] || QUESTION.en;
    const id = `rt-${random().slice(0, 8)}`;
    const label = document.createElement("label");
    label.htmlFor = id;
    label.textContent = question;
    const select = document.createElement("select");
    select.id = id;
    select.name = "rt-heard";
    for (const [value, text] of [["", choose], ...Object.entries(sources), ["other", other], ["does not know", unknown]])
      select.append(new Option(text, value));
    const words = document.createElement("input");
    words.name = "rt-heard-other";
    words.maxLength = 500;
    words.hidden = true;
    words.setAttribute("aria-label", where);
    words.placeholder = where;
    select.addEventListener("change", () => {
      words.hidden = select.value !== "other";
      if (words.hidden) words.value = "";
    });
    place.append(label, select, words);
  };

  const look = () => {
    for (const place of document.querySelectorAll(`form ${ASKS}`)) ask(place);
    for (const form of document.forms) {
      if (seen.has(form) || !isMeant(form)) continue;
      seen.set(form, { at: performance.now(), id: random() });
      if (isOurs(form)) trap(form);
    }
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !isMeant(form)) return;
    look();
    const fields = values(form);
    const said = about(form, JSON.stringify([fields, own(form)]));
    // Never into an address, where a form by GET would write them.
    if (isPosted(form)) for (const [name, value] of Object.entries(said)) hidden(form, name, value);
    // A form that goes elsewhere goes there as it is; a copy comes here, once.
    if (!isOurs(form)) post({ ...fields, ...own(form), ...said });
  }, true);
  new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", look);
  look();

  window.RingtrailForms = {
    send: (fields, id) => post({ ...told(fields), ...about(null, fields), ...(id ? { "rt-id": id } : {}) }),
  };
})();
