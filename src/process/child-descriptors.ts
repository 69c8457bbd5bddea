/**
 * The descriptors that a child with pipes costs this process at most: its stdin, stdout and stderr, and on Bun one by which its
 * end is noticed.
 */
export const childDescriptors = 4;
