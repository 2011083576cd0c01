// Keys, passkeys, questions before what cannot be undone. Pages say what they want in data- attributes:
//   data-key="g p"        a key, or one after another, that follows the link, presses the button, ticks the box, or focuses the field
//   data-told="j"         a key that another script follows; it is told like the others
//   data-open="id"        a button that opens the dialog with this id
//   data-confirm="…"      a form that asks first
//   data-passkey="get"    a form that asks the browser for a passkey ("create": for a new one) and sends its answer
"use strict";
(() => {
  const PAUSE = 1200; // milliseconds between the keys of a sequence
  let pressed = "";
  let last = 0;

  const keyed = () => [...document.querySelectorAll("[data-key]")].filter((each) => each.checkVisibility());
  const textOf = (each) => [...each.childNodes].filter((node) => node.nodeName !== "KBD").map((node) => node.textContent).join("").trim();
  const named = (each) => each.getAttribute("aria-label") || textOf(each.labels?.[0] || each);

  function showKeys(dialog) {
    const list = dialog.querySelector("dl");
    list.replaceChildren();
    const told = [...document.querySelectorAll("[data-key], [data-told]")].filter((each) => each.checkVisibility());
    for (const each of told) {
      const term = document.createElement("dt");
      for (const key of (each.dataset.key || each.dataset.told).split(" ")) {
        const shown = document.createElement("kbd");
        shown.textContent = key;
        term.append(shown, " ");
      }
      const told = document.createElement("dd");
      told.textContent = each.dataset.keyLabel || named(each);
      list.append(term, told);
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
    if (!("shortcuts" in document.body.dataset) || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]")) return;
    const now = performance.now();
    pressed = now - last < PAUSE && pressed ? `${pressed} ${event.key}` : event.key;
    last = now;
    const known = keyed();
    const hit = known.find((each) => each.dataset.key === pressed) || known.find((each) => each.dataset.key === event.key);
    if (!hit) return;
    event.preventDefault();
    pressed = "";
    if (hit.matches("input:not([type=checkbox], [type=radio]), textarea, select")) hit.focus();
    else hit.click();
  });

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (!opener) return;
    const dialog = document.getElementById(opener.dataset.open);
    if (dialog.id === "keys") showKeys(dialog);
    dialog.showModal();
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) event.preventDefault();
    else if (form.dataset.passkey && !form.elements.answer.value) {
      event.preventDefault();
      passkey(form);
    }
  }, true);

  async function passkey(form) {
    const trouble = form.querySelector("[data-trouble]");
    trouble.hidden = true;
    try {
      const asked = await fetch(`${form.getAttribute("action")}/question`, {
        method: "POST",
        body: new URLSearchParams({ csrf: form.elements.csrf.value }),
      });
      if (!asked.ok) throw new Error("no question");
      const question = await asked.json();
      const create = form.dataset.passkey === "create";
      const options = create
        ? PublicKeyCredential.parseCreationOptionsFromJSON(question)
        : PublicKeyCredential.parseRequestOptionsFromJSON(question);
      const made = create
        ? await navigator.credentials.create({ publicKey: options })
        : await navigator.credentials.get({ publicKey: options });
      form.elements.answer.value = JSON.stringify(made.toJSON());
      form.requestSubmit();
    } catch {
      trouble.hidden = false;
    }
  }

  // --- the session, for a page that has stood open ---
  globalThis.whoIsHere = async () => {
    const answer = await fetch("/console/still", { headers: { "hx-request": "true" } });
    if (!answer.ok) return answer.status === 401 ? "ended" : "network";
    const said = await answer.json();
    if (said.person !== document.body.dataset.person) return "other";
    document.body.setAttribute("hx-headers", JSON.stringify({ "x-csrf": said.csrf }));
    for (const each of document.querySelectorAll("input[name=csrf]")) each.value = said.csrf;
    return "same";
  };

  // --- covered when nobody is there; the form below stays as it is ---
  const cover = () => document.getElementById("cover");
  let touched = Date.now();

  async function uncover() {
    const found = await globalThis.whoIsHere().catch(() => "network");
    for (const each of cover().querySelectorAll("[data-covered]")) each.hidden = each.dataset.covered !== found;
    if (found !== "same") return;
    touched = Date.now();
    cover().close();
  }

  for (const name of ["keydown", "pointermove", "pointerdown", "wheel", "scroll"])
    document.addEventListener(name, (event) => {
      if (!cover()?.open) touched = Date.now();
      else if (name === "keydown") {
        event.stopImmediatePropagation();
        if (event.key === "Tab" || event.target.closest("a")) return;
        event.preventDefault();
        uncover();
      }
    }, { capture: true });

  document.addEventListener("click", (event) => cover()?.open && (event.target.closest("a") || uncover()));
  document.addEventListener("cancel", (event) => event.target === cover() && event.preventDefault(), { capture: true });

  setInterval(() => {
    const after = document.body.dataset.coverAfter * 1000;
    if (!after || cover().open || Date.now() - touched < after) return;
    for (const each of cover().querySelectorAll("[data-covered]")) each.hidden = each.dataset.covered !== "idle";
    cover().showModal();
  }, 1000);

  const ready = () => {
    for (const each of document.querySelectorAll(".help")) each.hidden = !("shortcuts" in document.body.dataset);
    if (window.PublicKeyCredential?.parseRequestOptionsFromJSON)
      for (const each of document.querySelectorAll("form[data-passkey]")) each.hidden = false;
  };
  document.addEventListener("DOMContentLoaded", ready);
  document.addEventListener("htmx:afterSettle", ready);
})();
