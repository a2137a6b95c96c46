/** How many images a batch may still ask for: `--max-images` is a hard limit. */
export class Budget {
  #left: number;

  /** @param images from 0; Infinity for no limit */
  constructor(images: number) {
    this.#left = images;
  }

  /** Takes `images` out of what is left; false, and nothing taken, when it is not enough. */
  take(images: number): boolean {
    if (images > this.#left) return false;
    this.#left -= images;
    return true;
  }

  /** Puts back what surely was not generated. */
  giveBack(images: number): void {
    this.#left += images;
  }
}
