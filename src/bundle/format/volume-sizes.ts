/** The largest file that FAT32 holds. */
export const FAT32_MAX_FILE = 2 ** 32 - 1;

/** The largest file that every program can read from plain ISO 9660; larger files need UDF. */
export const ISO_MAX_FILE = 4 * 1024 ** 3 - 2048;

/** Space on a disc for the file system and the small files beside a volume, at most. */
const RESERVE = 4 * 1024 ** 2;

/**
 * Space that a Blu-ray drive reserves on each layer for defect management, which most burning
 * programs turn on.
 */
const SPARE_AREA = 256 * 1024 ** 2;

/**
 * Bytes of a volume for each kind of medium: the capacity of the smaller of its variants, less what
 * is not left for the volume itself (docs/media.md).
 */
export const VOLUME_SIZES = {
  fat32: FAT32_MAX_FILE,
  /** 80 minutes of 75 sectors of 2,048 bytes a second. */
  cd: 360_000 * 2048 - RESERVE,
  /** DVD+R; DVD-R has 3,392 sectors more. */
  dvd: 2_295_104 * 2048 - RESERVE,
  /** DVD-R DL; DVD+R DL has 2,112 sectors more. */
  'dvd-dl': 4_171_712 * 2048 - RESERVE,
  bd25: 12_219_392 * 2048 - SPARE_AREA - RESERVE,
  bd50: 24_438_784 * 2048 - 2 * SPARE_AREA - RESERVE,
} as const;

export type VolumeSizeName = keyof typeof VOLUME_SIZES;
