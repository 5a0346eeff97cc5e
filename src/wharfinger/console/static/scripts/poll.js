// SPDX-License-Identifier: Apache-2.0
// What has `data-poll` goes on while somebody looks: every few seconds the page that it names is fetched, and the element
// of the same id there is put in its place, until it has no `data-poll` any more. Nothing is asked in a hidden tab.

const PAUSE = 3000;

const renew = (place) => {
  const asked = new XMLHttpRequest();
  asked.open("GET", place.dataset.poll);
  asked.responseType = "document";
  asked.onloadend = () => {
    const found = asked.status === 200 && asked.response?.getElementById(place.id);
    if (found) place.replaceWith(document.adoptNode(found));
    watch(found || place);
  };
  asked.send();
};

const watch = (place) => {
  if (!place.dataset.poll || !place.id) return;
  const turn = () => (document.hidden ? document.addEventListener("visibilitychange", turn, { once: true }) : renew(place));
  setTimeout(turn, PAUSE);
};

document.querySelectorAll("[data-poll]").forEach(watch);
