// SPDX-License-Identifier: Apache-2.0
// Menus are `<details>`, which open and close by themselves. With this, one closes with Escape, with a click beside it,
// and when the focus leaves it.

const menus = document.querySelectorAll("details.menu");

const close = (menu) => {
  if (!menu.open) return;
  menu.open = false;
  if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
};

menus.forEach((menu) => {
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(menu);
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
});
document.addEventListener("pointerdown", (event) => {
  menus.forEach((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
});

// On a narrow screen the rows of links scroll: the one of this page is brought into view, without moving the page.
document.querySelectorAll(".tabs [aria-current], .ways-on [aria-current]").forEach((link) => {
  const row = link.closest("ul");
  const scroller = row.scrollWidth > row.clientWidth ? row : row.parentElement;
  scroller.scrollLeft = link.offsetLeft - (scroller.clientWidth - link.offsetWidth) / 2;
});
