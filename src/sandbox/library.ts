import { randomUUID } from 'node:crypto';
import type { Recipe } from './recipe.ts';
import { Shelf } from './shelf.ts';

/** An image that a URL leads to. It is a recipe: the bytes are made when they are asked for. */
interface Published {
  recipe: Recipe;
  /** When the URL stops working, in milliseconds since 1970. */
  expires: number;
}

/** The images behind the sandbox's URLs. */
export class Library {
  readonly #origin: string;
  readonly #shelf: Shelf<Published>;

  /**
   * @param origin the server's `http://host:port`
   * @param lifetime how long a URL works, in milliseconds; for as long again it is known to have expired
   */
  constructor(origin: string, lifetime: number) {
    this.#origin = origin;
    this.#shelf = new Shelf(2 * lifetime);
  }

  /** Gives an image a URL that works until `expires`. */
  publish(recipe: Recipe, expires: number): string {
    const name = `${randomUUID()}.${recipe.format}`;
    this.#shelf.put(name, { recipe, expires });
    return `${this.#origin}/images/${name}`;
  }

  find(name: string): Published | undefined {
    return this.#shelf.get(name);
  }
}
