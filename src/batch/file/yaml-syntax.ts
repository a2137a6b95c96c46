import { Composer, type CST, type Document, Lexer, type ParsedNode, Parser, type YAMLError } from 'yaml';
import { depthLimit, type Flaw, flaws } from './flaws.ts';

/** YAML 1.2 alone, whatever a %YAML line says: `yes` and `on` are texts, `017` is 17. */
const dialect = {
  version: '1.2',
  schema: 'core',
  resolveKnownTags: false,
  merge: false,
  stringKeys: true,
  // The package compares each key with every other.
  uniqueKeys: false,
  prettyErrors: false,
} as const;

/** A job has some forty, and what is made of one while the document is read takes 200 bytes. */
const lexemeLimit = 2_000_000;

/** The nodes of a YAML document, undefined where a syntax error spoils them, and its flaws. */
export function parseYaml(text: string): { contents: ParsedNode | undefined; flaws: Flaw[] } {
  const tokens: CST.Token[] = [];
  const parser = new Parser();
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    lexemes += 1;
    if (lexemes > lexemeLimit) return failed([flaws.tooLarge(parser.offset)]);
    tokens.push(...parser.next(lexeme));
  }
  tokens.push(...parser.end());
  const [first, second] = tokens.filter((token) => token.type === 'document');
  if (second)
    return failed([
      { at: second.offset, message: 'a second document begins here', hint: 'one file holds one document' },
    ]);
  // The composer recurses, and at the end of the stack V8 may end the whole process instead of throwing.
  const tooDeep = first?.value && deeperThan(depthLimit, first.value);
  if (tooDeep !== undefined) return failed([flaws.tooDeep(tooDeep)]);
  const [document] = new Composer(dialect).compose(tokens, true, text.length) as Iterable<Document.Parsed>;
  if (!document) return failed([]);
  const found = [...document.errors, ...document.warnings].map(flawOf);
  return { contents: document.errors.length > 0 ? undefined : (document.contents ?? undefined), flaws: found };
}

function failed(flaws: Flaw[]): { contents: undefined; flaws: Flaw[] } {
  return { contents: undefined, flaws };
}

/** Where the first list or map begins that has more than `limit` levels, its own counted, above its end. */
function deeperThan(limit: number, token: CST.Token): number | undefined {
  if (!('items' in token)) return undefined;
  if (limit === 0) return token.offset;
  for (const { key, value } of token.items)
    for (const inside of [key, value]) {
      const found = inside ? deeperThan(limit - 1, inside) : undefined;
      if (found !== undefined) return found;
    }
  return undefined;
}

function flawOf({ code, message, pos: [at] }: YAMLError): Flaw {
  if (code === 'NON_STRING_KEY') return { at, message: 'a key must be a text' };
  // Some messages quote the text, however long it is.
  const short = message.length > 120 ? `${message.slice(0, 120)}…` : message;
  if (code === 'TAG_RESOLVE_FAILED')
    return { at, message: short.replace(/^Unresolved/, 'unknown'), hint: 'tags are not needed here' };
  return { at, message: short.slice(0, 1).toLowerCase() + short.slice(1) };
}
