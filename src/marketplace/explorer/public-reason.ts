const PRIVATE_TAIL = /^(.*?(?: was abandoned \d+ times, last: [^:]*| forbids? it)):/s

/**
 * Why a job waits or failed, as far as everybody may read it. What follows a fault's code can be the end of a program's log, and what follows
 * an owner's rule can name the image: both are the buyer's.
 */
export function publicReason(reason: string | null): string | null {
  return reason?.match(PRIVATE_TAIL)?.[1] ?? reason
}
