/** The longest time that a timer of Node.js takes; of a longer one it makes a millisecond. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
