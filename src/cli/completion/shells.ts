/** The shells with a completion script. */
export const shells = ['bash', 'zsh', 'fish'] as const;

/** One of these shells. */
export type Shell = (typeof shells)[number];
