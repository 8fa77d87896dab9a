/**
 * Stands for string-width where each character is one column wide.
 * @param {string} text
 */
export default function columnCount(text) {
  return text.length;
}
