// SPDX-License-Identifier: Apache-2.0
// Keys that lead somewhere: what has `data-key` gets the focus when its key is pressed and nobody is typing.

const isTyping = (element) => element.isContentEditable || element.matches("input, select, textarea");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const wanted = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key);
  if (!wanted || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  wanted.focus();
  wanted.select?.();
});
