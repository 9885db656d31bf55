/**
 * What a server shows to everybody who does not ask for its tunnel: a web server without the page that was asked for, or a small site.
 *
 *     decoy=nginx   decoy=nginx/1.22.1   decoy=caddy   decoy=haproxy       the page "not found" of that web server
 *     decoy=/var/www/html                                                  the files of that folder
 */
import { isAbsolute } from 'node:path'
import type { Asked, Fault, WebAnswer } from './web-answer.ts'
import { errorPages } from './error-pages.ts'
import { answerFrom, readSite } from './folder.ts'

/** It answers each request at once, from memory. */
export interface Decoy {
  answer(asked: Asked): WebAnswer
  /** The answer to what is no request. The connection ends after it. */
  fault(fault: Fault): WebAnswer
}

/** The web server that the option `decoy` stands for if it is missing. */
export const DEFAULT_DECOY = 'nginx'

/** Reads the option `decoy`, and the folder that it names. Throws PT_ARGS. */
export async function openDecoy(option: string = DEFAULT_DECOY): Promise<Decoy> {
  if (!isAbsolute(option)) return pagesAlone(option)
  const pages = errorPages(DEFAULT_DECOY)
  const site = await readSite(option)
  return { answer: (asked) => answerFrom(site, asked, pages), fault: (fault) => pages.fault(fault) }
}

/** Throws PT_ARGS if the option cannot be right, whatever is in the folder that it may name. */
export function checkDecoy(option: string = DEFAULT_DECOY): void {
  if (!isAbsolute(option)) errorPages(option)
}

function pagesAlone(name: string): Decoy {
  const pages = errorPages(name)
  return { answer: (asked) => pages.notFound(asked), fault: (fault) => pages.fault(fault) }
}
