/**
 * The other ways to pay: rungs that the order's page has, and that the dialog borrows.
 *
 * The page says by its markup which of them are open, so they are fetched anew, as that page
 * shows them, whenever they may have changed. A rung that somebody is filling in stays.
 */
const LIMIT_MS = 10_000;

export class Ladder {
  constructor(view) {
    this.view = view;
    this.box = view.part("others");
    this.slot = view.part("ladder");
    this.rungs = document.querySelector("[data-ladder]");
    this.home = document.createComment("the ladder's place on the page");
    if (this.rungs) this.rungs.before(this.home);
    this.address = null;
    this.box.addEventListener("toggle", () => this.refresh());
  }

  /** Take the rungs into the dialog, behind which they could not be reached. */
  enter() {
    if (this.rungs) this.slot.append(this.rungs);
  }

  /** Put them back where the page has them. */
  leave() {
    if (this.rungs && this.home.parentNode) this.home.after(this.rungs);
  }

  /** Bring the rungs up to date, where somebody looks at them. */
  async refresh() {
    if (!this.address || !this.box.open || this.box.hidden) return;
    try {
      this.replace(await fetchLadder(this.address));
      this.view.part("ladder-missing").hidden = Boolean(this.rungs);
    } catch (error) {
      console.warn("The other ways to pay could not be fetched:", error);
      this.view.part("ladder-missing").hidden = Boolean(this.rungs);
    }
  }

  replace(fresh) {
    const focused = document.activeElement.closest("details.rung");
    if (fresh && this.rungs) keepWhatIsInHand(this.rungs, fresh);
    if (this.rungs) this.rungs.remove();
    this.rungs = fresh;
    if (fresh) this.slot.append(fresh);
    if (!focused || focused.contains(document.activeElement)) return;
    const rung = document.getElementById(focused.id);
    (rung ? rung.querySelector("summary") : this.view.part("title")).focus();
  }
}

async function fetchLadder(address) {
  const answer = await fetch(address, {
    headers: { Accept: "text/html" },
    credentials: "same-origin",
    signal: AbortSignal.timeout ? AbortSignal.timeout(LIMIT_MS) : undefined,
  });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const ladder = page.querySelector("[data-ladder]");
  return ladder && document.adoptNode(ladder);
}

/** Leave rungs as open as they were, and those whose fields were changed as they are. */
function keepWhatIsInHand(old, fresh) {
  fresh.querySelectorAll("details.rung").forEach((rung) => {
    const before = old.querySelector(`#${rung.id}`);
    if (!before) return;
    const fields = [...before.querySelectorAll("input, textarea")];
    if (fields.some((field) => field.value !== field.defaultValue)) rung.replaceWith(before);
    else rung.open = before.open;
  });
}
