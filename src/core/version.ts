/** The version of every program here, as in package.json. */
export const version = "0.2.0";
