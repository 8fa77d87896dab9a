/** When everything in a made release claims to have been made. */
export const CREATED = '2024-10-09T00:00:00Z';
export const CREATED_SECONDS = Date.parse(CREATED) / 1000;
