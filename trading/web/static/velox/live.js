// The overview as it changes: sections come drawn from the server, nothing is computed here. Without this file, or
// without a connection, the page shows what it was loaded with, and says so.
(() => {
  "use strict";
  const live = document.getElementById("live");
  if (!live || !window.EventSource) return;
  const word = document.getElementById("live-word");
  const at = document.getElementById("live-at");
  const QUIET_MS = 10000;
  const RECONNECTING = "Not live, reconnecting. Figures of";
  let source = null;
  let heardAt = 0;
  let newest = "";

  function show(state, text) {
    if (live.dataset.state !== state) {
      live.dataset.state = state;
      word.textContent = text;
    }
    at.textContent = newest;
  }

  function heard() {
    heardAt = Date.now();
  }

  function lookIfQuiet() {
    // By the clock on the wall: a laptop that slept has heard nothing meanwhile, though its timers stood still, too.
    if (!source || Math.abs(Date.now() - heardAt) < QUIET_MS) return;
    show("lost", RECONNECTING);
    close();
    connect();
  }

  function replace(section, html) {
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && section.contains(selection.anchorNode)) return; // somebody copies
    const scrolled = [...section.querySelectorAll(".scroll")].map((part) => part.scrollLeft);
    const opened = [...section.querySelectorAll("details")].map((part) => part.open);
    const links = [...section.querySelectorAll("a, summary, [tabindex]")];
    const focused = links.indexOf(document.activeElement);
    section.innerHTML = html;
    section.querySelectorAll(".scroll").forEach((part, place) => { part.scrollLeft = scrolled[place] || 0; });
    section.querySelectorAll("details").forEach((part, place) => { part.open = Boolean(opened[place]); });
    if (focused >= 0) {
      const place = section.querySelectorAll("a, summary, [tabindex]")[focused];
      if (place) place.focus({ preventScroll: true });
    }
  }

  function close() {
    if (source) source.close();
    source = null;
  }

  function ended() {
    close();
    show("ended", "Not live: log in again. Figures of");
  }

  async function isRefused() {
    const asked = new AbortController(); // of an answer only its head is looked at: a stream would be read for ever
    const patience = setTimeout(() => asked.abort(), QUIET_MS);
    try {
      const answer = await fetch(live.dataset.events, { redirect: "manual", signal: asked.signal });
      return answer.type === "opaqueredirect" || answer.status === 403;
    } catch {
      return false; // nobody answers
    } finally {
      clearTimeout(patience);
      asked.abort();
    }
  }

  async function refused() {
    // The browser will not try again by itself: a login that ended, or a server that has no live figures yet.
    close();
    show("lost", RECONNECTING);
    if (await isRefused()) {
      ended();
      return;
    }
    setTimeout(connect, QUIET_MS);
  }

  function connect() {
    if (source || document.hidden) return;
    source = new EventSource(live.dataset.events);
    heard();
    source.addEventListener("picture", (event) => {
      heard();
      const picture = JSON.parse(event.data);
      if (picture.day !== live.dataset.day) {
        window.location.reload(); // the first trade of another day: the whole page is of that day
        return;
      }
      for (const [id, html] of Object.entries(picture.sections)) {
        const section = document.getElementById(id);
        if (section) replace(section, html);
      }
      newest = picture.at;
      show("live", "Live");
    });
    source.addEventListener("beat", heard);
    source.addEventListener("fault", () => {
      heard();
      show("fault", "Not live: the desk cannot be read. Figures of");
    });
    source.addEventListener("ended", ended);
    source.onerror = () => {
      if (!source) return;
      if (source.readyState === EventSource.CLOSED) {
        refused();
      } else {
        show("lost", RECONNECTING);
      }
    };
  }

  newest = live.dataset.at;
  document.addEventListener("visibilitychange", () => {
    // A browser keeps six connections to a server: pages that nobody looks at leave theirs to others.
    if (document.hidden) {
      close();
      show("lost", RECONNECTING); // so it is not called live when it is looked at again, before anything has come
    } else {
      connect();
    }
  });
  setInterval(lookIfQuiet, 1000);
  connect();
})();
