// Finding grids among many by name or code; without scripts the list is just long.
"use strict";

for (const choice of document.querySelectorAll("[data-choice]")) {
  const find = choice.querySelector("[data-find]");
  const options = [...choice.querySelectorAll(".options label")];
  const count = choice.querySelector("[data-count]");
  const none = choice.querySelector("[data-none]");
  const told = () => {
    count.textContent = count.dataset.said.replace("%", choice.querySelectorAll(":checked").length);
  };
  find.closest("label").hidden = false;
  find.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase();
    let shown = 0;
    for (const option of options) {
      option.hidden = !option.textContent.toLowerCase().includes(wanted);
      shown += !option.hidden;
    }
    none.hidden = shown > 0;
  });
  find.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return; // it would send the form
    event.preventDefault();
    const shown = options.filter((option) => !option.hidden);
    if (shown.length === 1) shown[0].querySelector("input").click();
  });
  choice.addEventListener("change", told);
  told();
}
