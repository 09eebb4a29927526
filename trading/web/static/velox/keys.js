// The keyboard of the pages: it moves the focus and follows links that are on the page, and knows nothing else.
"use strict";

(() => {
  const isTyping = (element) => element.matches("input, select, textarea, [contenteditable]");
  const visible = (selector) => document.querySelector(selector);
  const rows = () => [...document.querySelectorAll("main tbody a.symbol")];

  // On a trade's page the trades beside it, on a list its rows.
  const step = (by) => {
    const link = visible(by > 0 ? "main a[rel=next]" : "main a[rel=prev]");
    const links = rows();
    if (link && !links.length) {
      link.click();
      return;
    }
    const place = links.indexOf(document.activeElement);
    const next = links[place < 0 ? (by > 0 ? 0 : links.length - 1) : place + by];
    if (next) next.focus();
    else if (link) link.click();
  };

  const review = () => {
    const field = visible("form.review select, form.review input:not([type=hidden])");
    const row = document.activeElement;
    if (field) field.focus();
    else if (row.matches("a.symbol")) location.assign(`${row.href}#to-review`);
  };

  const filter = () => {
    const field = visible("form.filters [name=symbol]");
    if (field) field.focus();
    else location.assign(`${visible(".nav a[data-page=trades]").href}#to-filter`);
  };

  const enter = () => {
    const link = visible("a[data-page=new-trade]");
    if (link) link.click();
  };

  const keys = { j: () => step(1), k: () => step(-1), r: review, "/": filter, n: enter, "?": () => visible("#keys").showModal() };

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.key === "Escape" && isTyping(target)) target.blur();
    if (event.key === "Enter" && event.ctrlKey && target.form && target.form.matches(".review")) {
      event.preventDefault(); // or the browser would send the form a second time, by its first button
      target.form.requestSubmit(target.form.querySelector("[name=next]") || undefined);
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(target) || visible("dialog[open]")) return;
    if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  // Another page was left for this. The names are of no element: a browser takes the focus away for one that is.
  if (location.hash === "#to-review") review();
  if (location.hash === "#to-filter") filter();
})();
