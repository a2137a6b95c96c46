/** Settings as the config file holds them, by key. */
export type StoredValues = Readonly<Record<string, string | number | boolean>>;

/** The config file: settings, and named sets of settings that come before them. */
export interface ConfigFile {
  values: StoredValues;
  profiles: Readonly<Record<string, StoredValues>>;
}

/** The two directories that imggen keeps files in. */
export interface Directories {
  config: string;
  state: string;
}
