// The box above a column of boxes chooses all of them; without scripts it stays hidden.
"use strict";

const each = document.getElementById("each");
if (each) {
  each.hidden = false;
  each.addEventListener("change", () => {
    for (const box of document.querySelectorAll('input[name="id"]')) box.checked = each.checked;
  });
}
