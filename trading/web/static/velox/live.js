// The overview as it changes: sections come drawn from the server, nothing is computed here. Without this file, or
// without a connection, the page shows what it was loaded with, and says so.
(() => {
  "use strict";
  const live = document.getElementById("live");
  if (!live || !window.EventSource) return;
  const word = document.getElementById("live-word");
  const at = document.getElementById("live-at");
  const QUIET_MS = 10000;
  let source = null;
  let quiet = 0;
  let newest = "";

  function show(state, text) {
    if (live.dataset.state !== state) {
      live.dataset.state = state;
      word.textContent = text;
    }
    at.textContent = newest;
  }

  function heard() {
    clearTimeout(quiet);
    quiet = setTimeout(lost, QUIET_MS);
  }

  function lost() {
    show("lost", "Not live, reconnecting. Figures of");
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
    clearTimeout(quiet);
    if (source) source.close();
    source = null;
  }

  function ended() {
    close();
    show("ended", "Not live: log in again. Figures of");
  }

  async function isRefused() {
    const asked = new AbortController(); // of an answer only its head is looked at: a stream would be read for ever
    try {
      const answer = await fetch(live.dataset.events, { redirect: "manual", signal: asked.signal });
      return answer.type === "opaqueredirect" || answer.status === 403;
    } catch {
      return false; // nobody answers
    } finally {
      asked.abort();
    }
  }

  async function refused() {
    // The browser will not try again by itself: a login that ended, or a server that has no live figures yet.
    close();
    if (await isRefused()) {
      ended();
      return;
    }
    show("lost", "Not live, reconnecting. Figures of");
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
        show("lost", "Not live, reconnecting. Figures of");
      }
    };
  }

  newest = live.dataset.at;
  document.addEventListener("visibilitychange", () => {
    // A browser keeps six connections to a server: pages that nobody looks at leave theirs to others.
    if (document.hidden) close();
    else connect();
  });
  connect();
})();
