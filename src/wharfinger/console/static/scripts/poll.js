// SPDX-License-Identifier: Apache-2.0
// What has `data-poll` goes on while somebody looks: every few seconds the page that it names is fetched, and the element
// of the same id there is put in its place, until it has no `data-poll` any more. Nothing is asked in a hidden tab, and
// nothing is taken away from who is at a button in it with the keyboard.

import { fetchPage } from "./pages.js";

const PAUSE = 3000;

const renew = async (place) => {
  if (place.contains(document.activeElement)) return watch(place);
  const found = await fetchPage(place.dataset.poll).then(
    (page) => page.getElementById(place.id),
    () => null,
  );
  if (found) place.replaceWith(document.adoptNode(found));
  watch(found ?? place);
};

const watch = (place) => {
  if (!place.dataset.poll || !place.id) return;
  const turn = () => (document.hidden ? document.addEventListener("visibilitychange", turn, { once: true }) : renew(place));
  setTimeout(turn, PAUSE);
};

document.querySelectorAll("[data-poll]").forEach(watch);
