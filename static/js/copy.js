/**
 * Copy buttons: shown only where they can work, with JavaScript at an address that browsers trust.
 *
 * The page may put fresh rungs in the place of old ones (ladder.js), so that nothing is tied to
 * one button; opening a rung is what brings a fresh button to light.
 */
const SHOWN_MS = 3000;

function reveal() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
}

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  await navigator.clipboard.writeText(field.value);
  const words = button.textContent;
  if (words === button.dataset.copied) return;
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = words; }, SHOWN_MS);
}

reveal();
document.addEventListener("toggle", reveal, true);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button).catch((error) => console.error("The link could not be copied:", error));
});
