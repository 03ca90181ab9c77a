/**
 * What is stored says the same many times over: the policies of delegates are
 * alike, and unikernels run the same few images. Read back, each is an object
 * of its own, and V8 looks at every page of them each time that it collects.
 *
 * @module
 */

/**
 * Gives for each value the first that said the same.
 *
 * @param keyOf - the same text for values that say the same, and for no others
 */
export function sharing<T>(keyOf: (value: T) => string): (value: T) => T {
  const known = new Map<string, T>();
  return (value) => {
    const key = keyOf(value);
    const first = known.get(key);
    if (first === undefined) known.set(key, value);
    return first ?? value;
  };
}
