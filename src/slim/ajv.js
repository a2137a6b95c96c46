// conf imports ajv, and uses it for a schema alone, which imggen does not give it: it checks values itself.
export function Ajv2020() {
  throw new Error('the bundle leaves ajv out: conf cannot be given a schema');
}
export default {};
