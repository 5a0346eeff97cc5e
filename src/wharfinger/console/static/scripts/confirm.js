// SPDX-License-Identifier: Apache-2.0
// A link with `data-confirm` leads to a page that asks whether something is meant. Here what that page asks appears in a
// dialog instead; where that fails, the link does what links do.

import { fetchPage } from "./pages.js";

const show = (question, link) => {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", question.getAttribute("aria-labelledby"));
  dialog.append(document.adoptNode(question));
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    link.focus();
  });
  dialog.addEventListener("click", (event) => {
    const isBeside = event.target === dialog && event.detail > 0;
    if (isBeside || event.target.closest("[data-cancel]")) {
      event.preventDefault();
      dialog.close();
    }
  });
  dialog.showModal();
  (dialog.querySelector("input:not([type=hidden])") ?? dialog.querySelector("[data-cancel]")).focus();
};

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-confirm]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  try {
    const question = (await fetchPage(link.href)).querySelector("[data-confirmation]");
    if (!question) throw new Error("the page asks nothing");
    show(question, link);
  } catch {
    location.assign(link.href);
  }
});
