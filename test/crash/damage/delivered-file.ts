/** Where a drain writes down what it has delivered, one `STREAM SEQ` a line, before it settles it. */
export const DELIVERED_FILE = 'delivered';
