/* Ringtrail: shows each visitor a telephone number of their own. No dependency; docs/web.md describes it. */
(() => {
  "use strict";
  if (window.Ringtrail) return;
  const script = document.currentScript;
  const given = window.ringtrail || {};
  const option = (name) => (script && script.getAttribute(`data-${name}`)) || given[name] || "";
  const site = option("site");
  const base = (option("url") || (script ? script.src.replace(/\/c\/\d+\/swap\.js.*$/, "") : "")).replace(/\/$/, "");
  const own = { i: option("number"), t: option("national") };
  if (!site || !base || !own.i) return;

  const digits = (text) => text.replace(/\D/g, "");
  const code = digits(own.i.trim().split(/[\s-]/)[0]);
  const whole = digits(own.i);
  const local = digits(own.t) || whole.slice(code.length);
  const short = whole.slice(code.length);
  own.e = `+${whole}`;

  // Whatever people put between the digits of a number; what is not seen, such as soft hyphens and direction marks, too.
  const UNSEEN = "\\u00ad\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff";
  const GAP = `[\\s\\-\\u2010-\\u2015\\u2212./()${UNSEEN}]{0,4}`;
  const spaced = (text) => [...text].join(GAP);
  const trunk = local.length > short.length ? `(?:\\(${local.slice(0, local.length - short.length)}\\)${GAP})?` : "";
  const abroad = `(?:\\(?\\+|00|011${GAP})${GAP}${spaced(code)}${GAP}${trunk}${spaced(short)}`;
  const home = local === short ? `(?:${spaced(code)}${GAP})?\\(?${spaced(local)}` : `\\(?${spaced(local)}`;
  const spelled = () => new RegExp(`(^|[^\\d+])(${abroad}|${home})(?!\\d)`, "g");
  const known = new Set([whole, `00${whole}`, `011${whole}`, local, code + local]);

  // An option without a value is sent with its text.
  const SKIPPED = "script,style,noscript,textarea,template,iframe,option:not([value]),"
    + "[contenteditable]:not([contenteditable=false i]),[data-ringtrail=off]";
  const INLINE = /^(?:a|abbr|b|bdi|bdo|big|em|font|i|mark|s|small|span|strong|time|tspan|tt|u|wbr)$/i;
  const ATTRIBUTES = ["title", "aria-label", "alt", "placeholder", "data-phone", "data-tel"];
  const LINK = /^\s*(tel:|sms:|callto:)(?:\/\/)?([^;?&,]*)(.*)$/i;
  const TAGS = /^(?:utm_(?:source|medium|campaign)|gclid|gbraid|wbraid|msclkid|yclid|fbclid|li_fat_id|ttclid|rt)$/i;
  const COOKIE = "ringtrail";

  let shown = null; // the number that is shown instead of the page's own
  let changed = []; // what was changed, each with what stood there
  const spellings = new Map(); // how the shown number is spelled here, and how the page's own stood there
  let paused = false; // while the page shows its own number, for print
  let asked = 0; // places found when the server was last asked
  let turn = 0; // so that an answer that was overtaken changes nothing
  let agreed = given.consent === true; // said before this script was there
  let declined = given.consent === false;
  let reported = "";
  let tries = 0;
  let askedAt = 0;

  // Writes the new number as the page wrote its own: with or without country code, with the same separators.
  const like = (written, number) => {
    const old = written.replace(new RegExp(`[${UNSEEN}]`, "g"), "");
    const international = /^\(?(?:\+|00|011)/.test(old) || (local === short && digits(old).length > short.length);
    const bare = old.replace(/[()]/g, "");
    if (/^\+?\d+$/.test(bare)) {
      const plain = international ? number.e : digits(number.t);
      return bare.startsWith("+") || !international ? plain : plain.replace("+", bare.startsWith("00") ? "00" : "");
    }
    let text = international ? number.i : number.t;
    if (international && !/^\(?\+/.test(old)) text = text.replace("+", old.startsWith("00") ? "00" : "");
    const gaps = old.replace(/[\d+()]/g, "");
    if (/^\.+$/.test(gaps)) text = text.replace(/[()]/g, "").replace(/[\s-]+/g, ".");
    else if (/^[-\u2010-\u2015]+$/.test(gaps)) text = text.replace(/[()]/g, "").replace(/\s+/g, "-");
    else if (/\u00a0/.test(gaps)) text = text.replace(/ /g, "\u00a0");
    return text;
  };
  const rewritten = (text, number) => text.replace(spelled(), (_, before, old) => {
    const now = like(old, number);
    if (number === shown) spellings.set(now, old);
    return before + now;
  });
  const relinked = (href, number) => {
    const parts = LINK.exec(href);
    if (!parts) return href;
    let called = parts[2];
    try { called = decodeURIComponent(called); } catch (_) { /* left as it is */ }
    return known.has(digits(called)) ? parts[1] + number.e + parts[3] : href;
  };

  const set = (node, name, text) => {
    if (name) node.setAttribute(name, text);
    else node.nodeValue = text;
  };
  const read = (node, name) => (name ? node.getAttribute(name) : node.nodeValue);
  // Looks at one place; changes it where there is a number to show. Returns whether our own number stood there.
  const place = (node, name, make) => {
    const was = read(node, name);
    if (!was) return 0;
    const now = make(was, shown || own);
    // Shown as its own, a number is found by what would stand there with any other.
    const found = now !== was || make(was, { e: "", i: "", t: "" }) !== was;
    if (found && shown && !paused && now !== was) put(node, name, was, now);
    return found ? 1 : 0;
  };
  const put = (node, name, was, now) => {
    const before = changed.find((each) => each.node === node && each.name === name);
    changed = changed.filter((each) => each !== before);
    // What this script wrote itself is not what stood there.
    changed.push({ node, name, was: before && before.now === was ? before.was : was, now });
    set(node, name, now);
  };
  const block = (node) => {
    let found = node.parentElement;
    while (found && INLINE.test(found.tagName)) found = found.parentElement;
    return found || document.documentElement;
  };
  // A number over several texts of one line, as by <wbr>, bold digits, or a framework that writes each part by itself.
  const line = (texts) => {
    if (texts.length < 2) return 0;
    let found = 0;
    const written = texts.map((node) => node.nodeValue);
    for (const match of written.join("").matchAll(spelled())) {
      let start = match.index + match[1].length;
      let first = 0;
      while (start >= written[first].length) start -= written[first++].length;
      let end = start + match[2].length;
      let last = first;
      while (end > written[last].length) end -= written[last++].length;
      if (first === last) continue;
      found += 1;
      const now = like(match[2], shown || own);
      if (!shown || paused || now === match[2]) continue;
      spellings.set(now, match[2]);
      const rest = written[last].slice(end);
      put(texts[first], null, written[first], written[first].slice(0, start) + now);
      for (let at = first + 1; at <= last; at++) put(texts[at], null, written[at], at === last ? rest : "");
      return 1 + line(texts);
    }
    return found;
  };
  const element = (node) => {
    let found = 0;
    if (node.matches("a[href],area[href]")) found += place(node, "href", relinked);
    for (const name of ATTRIBUTES) if (node.hasAttribute(name)) found += place(node, name, rewritten);
    return found;
  };
  const skips = (node) => node.matches(SKIPPED) && !(option("jsonld") === "swap" && node.matches("script[type='application/ld+json']"));
  const look = (root) => {
    const above = root.nodeType === Node.ELEMENT_NODE ? root : root.parentElement;
    if (above && above.closest(SKIPPED) && skips(above.closest(SKIPPED))) return 0;
    if (root.nodeType === Node.TEXT_NODE) {
      const around = block(root);
      return around.textContent.length < 300 ? look(around) : place(root, null, rewritten);
    }
    let found = root.nodeType === Node.ELEMENT_NODE ? element(root) : 0;
    let texts = [];
    let broken = false; // by something between them that is no part of their line
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) => {
      if (node.nodeType !== Node.ELEMENT_NODE || !skips(node)) return NodeFilter.FILTER_ACCEPT;
      broken = true;
      return NodeFilter.FILTER_REJECT;
    });
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (node.nodeType === Node.TEXT_NODE) {
        found += place(node, null, rewritten);
        if (broken || (texts.length && block(texts[0]) !== block(node))) {
          found += line(texts);
          texts = [];
        }
        broken = false;
        texts.push(node);
      } else {
        found += element(node);
        broken = broken || !INLINE.test(node.tagName);
      }
    }
    return found + line(texts);
  };
  const restore = () => {
    // What the page has written since stays.
    for (const { node, name, was, now } of changed) if (read(node, name) === now) set(node, name, was);
    changed = [];
  };
  const swap = (root) => {
    changed = changed.filter(({ node }) => node.isConnected);
    return look(root || document.documentElement);
  };

  const token = () => {
    const found = document.cookie.split("; ").find((each) => each.startsWith(`${COOKIE}=`));
    return found ? found.slice(COOKIE.length + 1) : null;
  };
  const remember = (value) => {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${COOKIE}=${value || ""}; Path=/; SameSite=Lax; Max-Age=${value ? 34560000 : 0}${secure}`;
  };
  const quiet = () => declined || navigator.globalPrivacyControl === true || navigator.doNotTrack === "1";

  // Of the address only what tells where a visit came from; the rest of the query stays in the browser.
  const address = () => {
    const kept = new URLSearchParams();
    for (const part of [location.search.slice(1), location.hash.split("?")[1] || ""])
      for (const [name, value] of new URLSearchParams(part)) if (TAGS.test(name)) kept.append(name, value);
    const query = kept.toString();
    return (location.origin + location.pathname + (query ? `?${query}` : "")).slice(0, 4000);
  };
  const from = (text) => {
    try {
      const url = new URL(text);
      return (url.origin === "null" ? text.split("?")[0] : url.origin + url.pathname).slice(0, 4000);
    } catch (_) {
      return "";
    }
  };

  const ask = (referrer, again) => {
    const mine = ++turn;
    askedAt = Date.now();
    asked = swap() + changed.length;
    const held = quiet() ? null : token();
    const body = {
      p: address(), r: referrer, v: held, f: Math.min(asked, 10000),
      c: agreed || held ? 1 : 0, a: again ? 1 : 0, w: navigator.webdriver ? 1 : 0, q: quiet() ? 1 : 0,
    };
    return fetch(`${base}/c/${site}/view`, {
      method: "POST", body: JSON.stringify(body), credentials: "omit", keepalive: true, referrerPolicy: "no-referrer",
    }).then((answer) => {
      if (answer.status === 400 && held) remember(null);
      return answer.ok ? answer.json() : null;
    }).then((told) => {
      if (!told || mine !== turn) return;
      if (told.v && !quiet()) remember(told.v);
      // The server had no time for it; it is asked for again later.
      if (told.l && tries++ < 5) setTimeout(() => ask(referrer, true), 2000 * tries);
      if (told.n && shown && told.n.e === shown.e) return;
      restore();
      spellings.clear();
      shown = told.n;
      swap();
    }).catch(() => { /* the page shows its own number */ });
  };
  const came = () => {
    reported = location.pathname;
    return ask(from(document.referrer), false);
  };

  // Meanwhile somebody else may have been shown the number that stands here.
  const returned = () => {
    if (reported) ask(location.origin + location.pathname, false);
  };

  const watch = new MutationObserver((all) => {
    if (paused) return;
    if (reported && location.pathname !== reported) {
      const before = location.origin + reported;
      reported = location.pathname;
      ask(before, false);
    }
    let found = 0;
    for (const change of all) {
      if (change.type === "childList") for (const node of change.addedNodes) found += node.isConnected ? look(node) : 0;
      else if (change.target.isConnected) found += look(change.target);
    }
    if (found && !shown && !asked) ask(from(document.referrer), true);
  });

  window.Ringtrail = {
    swap: (root) => swap(root),
    visitor: () => token(),
    consent: (yes) => {
      agreed = yes === true;
      declined = !agreed;
      if (declined) {
        remember(null);
        restore();
        shown = null;
      }
      return reported ? ask(from(document.referrer), true) : Promise.resolve();
    },
  };

  if (option("print") === "original") {
    window.addEventListener("beforeprint", () => { paused = true; restore(); });
    window.addEventListener("afterprint", () => { paused = false; swap(); });
  }
  if (option("copy") === "original") {
    document.addEventListener("copy", (event) => {
      const picked = String(document.getSelection());
      const text = [...spellings].reduce((left, [now, was]) => left.split(now).join(was), picked);
      if (text === picked || !event.clipboardData) return;
      event.clipboardData.setData("text/plain", text);
      event.preventDefault();
    });
  }

  const begin = () => {
    watch.observe(document.documentElement, {
      childList: true, characterData: true, subtree: true, attributes: true, attributeFilter: ["href", ...ATTRIBUTES],
    });
    came();
  };
  const arrive = () => {
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
    else begin();
  };
  window.addEventListener("pageshow", (event) => { if (event.persisted) returned(); });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Date.now() - askedAt > 1800000) returned();
  });
  // A page that the browser makes ready ahead of a visit is none yet.
  if (document.prerendering) document.addEventListener("prerenderingchange", arrive, { once: true });
  else arrive();
})();
