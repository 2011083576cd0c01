// The reviewer's pages: looks that end by themselves, claims that are kept, answers that are not lost.
"use strict";
(() => {
  const LONGEST = 15000; // milliseconds after which a look ends though the key is held; cases/reveals.py counts by it
  const LATCHED = 5000; // the same for who cannot hold one
  const csrf = () => JSON.parse(document.body.getAttribute("hx-headers"))["x-csrf"];
  const send = (path, fields, rest) =>
    fetch(`/console/cases/${path}`, {
      method: "POST",
      headers: { "x-csrf": csrf(), "hx-request": "true" },
      body: new URLSearchParams(fields),
      ...rest,
    });
  const form = () => document.getElementById("answer");
  const inField = (target) => target.closest("input:not([type=checkbox], [type=radio]), textarea, select");

  // --- looks ---
  let look = null; // the one that lasts

  const box = () => document.getElementById("looking");
  function say(what) {
    for (const each of box().querySelectorAll("[data-looking]")) each.hidden = each.dataset.looking !== what;
    if (!box().open) box().show();
  }

  async function begin(button, longest) {
    if (look || !button) return;
    const list = button.closest("[data-case]");
    const item = button.closest("[data-item]");
    const now = (look = { case: list.dataset.case, id: null, since: 0, over: false });
    choose(item);
    say("wait");
    now.timer = setTimeout(end, longest);
    let frame = button.dataset.frame;
    if (button.dataset.look === "3") frame = item.querySelector(".frame")?.value || "0";
    try {
      const answer = await send(`${now.case}/reveal`, { item: item.dataset.item, level: button.dataset.look, frame });
      const said = await answer.json();
      if (said.id) now.id = said.id;
      if (now.over) return finish(now, 0);
      if (!answer.ok) return say(said.code === "limit" ? "limit" : said.code === "invalid" ? "step" : "failed");
      const picture = box().querySelector("img");
      picture.onload = () => {
        if (look !== now) return;
        now.since = performance.now();
        picture.hidden = false;
        say("");
      };
      picture.onerror = () => look === now && say("failed");
      picture.src = said.src;
    } catch {
      if (look === now) say("failed");
    }
  }

  function end() {
    if (!look) return;
    const was = look;
    look = null;
    was.over = true;
    clearTimeout(was.timer);
    const picture = box()?.querySelector("img");
    if (picture) {
      picture.onload = picture.onerror = null;
      picture.removeAttribute("src");
      picture.hidden = true;
      box().close();
    }
    if (was.id) finish(was, was.since ? (performance.now() - was.since) / 1000 : 0);
  }

  async function finish(was, seconds) {
    try {
      const answer = await send(`${was.case}/hide`, { reveal: was.id, seconds: seconds.toFixed(3) }, { keepalive: true });
      const shown = document.getElementById("exposure");
      if (answer.ok && shown) shown.outerHTML = await answer.text();
    } catch {
      // The server counts it as shown, and not as seen.
    }
  }

  function choose(item) {
    for (const each of document.querySelectorAll(".items .chosen")) each.classList.remove("chosen");
    item.classList.add("chosen");
  }

  const listed = () => [...document.querySelectorAll(".items li[data-item]")];
  let backwards = false; // the last step through the items

  const latched = () => document.getElementById("latch")?.checked;
  const ofKey = (key) => document.querySelector(`.items .chosen [data-look="${{ 7: 1, 8: 2, 9: 3 }[key]}"]`);

  document.addEventListener("pointerdown", (event) => {
    const button = event.target.closest?.("[data-look]");
    if (!button || event.button || latched()) return;
    begin(button, LONGEST);
  });
  for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => latched() || end());
  document.addEventListener("contextmenu", (event) => event.target.closest?.(".look") && event.preventDefault());
  document.addEventListener("click", (event) => {
    // A press without a pointer comes from a screen reader or a switch.
    const button = event.target.closest?.("[data-look]");
    if (!button || !(latched() || (event.detail === 0 && !look))) return;
    if (look) end();
    else begin(button, LATCHED);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || inField(event.target)) return;
    const onButton = event.target.closest("[data-look]") && (event.key === " " || event.key === "Enter");
    const shortcut = "shortcuts" in document.body.dataset && !document.querySelector("dialog:modal");
    const button = onButton ? event.target.closest("[data-look]") : shortcut && "789".includes(event.key) ? ofKey(event.key) : null;
    if (button) {
      event.preventDefault();
      if (event.repeat) return;
      if (latched() && look) end();
      else begin(button, latched() ? LATCHED : LONGEST);
    } else if (shortcut && (event.key === "j" || event.key === "k") && !look) {
      const items = listed();
      const at = items.findIndex((each) => each.classList.contains("chosen")) + (event.key === "j" ? 1 : -1);
      backwards = event.key === "k";
      if (!items[at]) return document.getElementById(backwards ? "items-previous" : "items-next")?.click();
      choose(items[at]);
      items[at].scrollIntoView({ block: "nearest" });
    } else if (shortcut && event.key === "x") {
      document.querySelector(".items .chosen input[name=item]")?.click();
    }
  });
  document.addEventListener("keyup", () => latched() || end());
  window.addEventListener("blur", end);
  window.addEventListener("pagehide", end);
  document.addEventListener("visibilitychange", () => document.hidden && end());
  document.addEventListener("htmx:beforeSwap", end);

  // --- answers that are not lost ---
  const trouble = (what) => {
    for (const each of document.querySelectorAll("[data-trouble]")) if (form()?.contains(each)) each.hidden = each.dataset.trouble !== what;
  };
  const troubled = (what) => form()?.querySelector(`[data-trouble="${what}"]`)?.hidden === false;

  document.addEventListener("htmx:beforeRequest", (event) => event.detail.elt === form() && trouble(""));
  document.addEventListener("htmx:sendError", (event) => event.detail.elt === form() && trouble("network"));
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { status, responseText } = event.detail.xhr;
    if (event.detail.elt !== form()) {
      if (status !== 401 || !form()) return;
      event.preventDefault(); // going to sign in would lose the answer
      return trouble("session");
    }
    if (status < 400 || (status < 500 && /class="case"|id="answer"/.test(responseText))) return;
    event.preventDefault(); // what came is no case: the form stays as it is
    trouble(status === 401 ? "session" : "service");
  });

  let asked = 0;
  async function back() {
    if (!form() || document.hidden) return;
    if (troubled("network") && navigator.onLine) trouble("online");
    if (!troubled("session") && !troubled("other-person")) return;
    const mine = ++asked;
    const found = await globalThis.whoIsHere().catch(() => "network");
    if (mine !== asked) return; // a later question has a newer answer
    if (found === "other") trouble("other-person");
    if (found === "same") trouble("again");
  }
  window.addEventListener("focus", back);
  window.addEventListener("online", back);
  document.addEventListener("visibilitychange", back);

  // --- the claim lasts as long as somebody is there ---
  let active = performance.now();
  let renewed = performance.now();
  for (const name of ["keydown", "pointermove", "pointerdown", "scroll"])
    document.addEventListener(name, () => (active = performance.now()), { passive: true });

  async function keep() {
    if (!form()?.dataset.lease || document.hidden) return;
    const now = performance.now();
    const lease = form().dataset.lease * 1000;
    if (now - renewed < lease / 3 || now - active > lease) return;
    renewed = now;
    try {
      const answer = await send(`${form().dataset.case}/renew`, {});
      if (answer.status === 401) trouble("session");
      else if (answer.status === 409) trouble("taken");
    } catch {
      // An answer after the claim has ended still counts if nobody has taken the case.
    }
  }

  // --- the time to take an answer back ---
  function count() {
    const told = document.querySelector("[data-until]");
    if (!told) return;
    told.end ??= performance.now() + told.dataset.until * 1000;
    const left = Math.ceil((told.end - performance.now()) / 5000) * 5;
    const text = left > 0 ? told.dataset.some.replace("#", left) : told.dataset.none;
    if (told.textContent !== text) told.textContent = text;
    if (left <= 0) told.closest("form").querySelector("button").disabled = true;
  }
  setInterval(() => (count(), keep()), 1000);
  document.addEventListener("DOMContentLoaded", count);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "items") {
      if (backwards) choose(listed().at(-1));
      backwards = false;
      event.target.focus({ preventScroll: true });
    }
    if (event.target.id !== "content") return;
    renewed = performance.now();
    count();
    if (!event.target.contains(document.activeElement)) event.target.focus({ preventScroll: true });
  });
})();
