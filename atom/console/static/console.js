// The little that pages need beside htmx, which keeps what is live up to date.
"use strict";

// While the console does not answer, what is live stands still: say so.
function showStale(isStale) {
  const notice = document.getElementById("stale");
  if (notice) notice.hidden = !isStale;
}

document.addEventListener("htmx:error", () => showStale(true));
document.addEventListener("htmx:response:error", () => showStale(true));
document.addEventListener("htmx:after:swap", () => showStale(false));
