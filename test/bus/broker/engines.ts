/** Real brokers for tests, each at a free port and in a folder of its own. */
