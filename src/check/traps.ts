/**
 * What the draft allows, or does not speak of, and what still breaks with real peers. Reported as advice.
 */

interface Trap {
  readonly id: string
  readonly level: 'ADVICE'
  /** The heading of the draft that comes nearest. */
  readonly section: string
  readonly says: string
}

function trap(number: number, section: string, says: string): Trap {
  return { id: `TRAP-${number}`, level: 'ADVICE', section, says }
}

export const traps: readonly Trap[] = [
  trap(1, 'Log Message', 'Quoted strings hold no octal escapes: Arti takes them for a violation and ends the PT.'),
  trap(2, 'Client Messages', 'An error for one transport beside others that work fails the whole launch under Arti.'),
  trap(3, 'Common Messages', 'A LOG line goes ahead of ENV-ERROR: C tor drops the text of an ENV-ERROR after VERSION.'),
  trap(4, 'Client Messages', 'CMETHOD names a loopback address: Arti refuses others, and traffic would be readable.'),
  trap(5, 'Server Messages', 'ARGS is left out if there are no arguments; some readers refuse an empty list.'),
  trap(6, 'Server Messages', 'ARGS is the first option of SMETHOD: C tor looks at no other.'),
  trap(7, 'Communication', 'Only keywords of the draft are used: C tor compares their beginning only and Arti warns.'),
  trap(8, 'Client Messages', 'CMETHOD and SMETHOD have single spaces and no surplus words: Arti fails the launch.'),
  trap(9, 'Log Message', 'SEVERITY comes before MESSAGE, the only order that Arti reads.'),
  trap(10, 'Shutdown', 'SIGINT ends the PT gracefully too: it is what a terminal sends.'),
  trap(
    11,
    'Workflow',
    'The end of a connection is passed on, after all that was sent before it: lyrebird keeps it to itself.',
  ),
  trap(
    12,
    'Per-Connection Arguments',
    'Of the methods 00 and 02, 02 is chosen: tor offers both and would lose its arguments.',
  ),
  trap(13, 'Per-Connection Arguments', 'SOCKS messages that come in one packet are read one by one.'),
  trap(14, 'Client Environment Variables', 'socks4 is taken as a proxy type, as Arti writes it for socks4a.'),
  trap(15, 'Common Environment Variables', 'A missing or relative TOR_PT_STATE_LOCATION is an ENV-ERROR.'),
  trap(16, 'Shutdown', 'The exit status is 0 after a graceful end, and another one after an error.'),
  trap(17, 'Per-Connection Arguments', 'A SOCKS client that says nothing is cut off in the end.'),
  trap(18, 'Architecture Overview', 'Both transport lists at once are an ENV-ERROR rather than a silent choice.'),
  trap(19, 'Pluggable Transport Naming', 'A name that stands twice in the transport list is launched once.'),
  trap(20, 'Server Environment Variables', 'Unknown Extended ORPort commands are passed over while OKAY is awaited.'),
  trap(21, 'Workflow', 'A parent gives up on a PT that says nothing; the draft sets no time.'),
  trap(22, 'Workflow', 'A PT that dies, or breaks the protocol, does not fell its parent.'),
  trap(
    23,
    'Common Environment Variables',
    'A variable that is set and empty is read as one that is not set: Arti sets bind addresses and options so.',
  ),
  trap(
    24,
    'Common Messages',
    'VERSION comes once, and PROXY DONE once and only if there is a proxy: tor and Arti end the PT otherwise.',
  ),
  trap(
    25,
    'Architecture Overview',
    'A port that serves SOCKS 4 takes 4a too, as Arti passes host names of bridges on.',
  ),
  trap(26, 'Architecture Overview', 'SOCKS 5 requests for a host name are taken, as Arti passes them on.'),
  trap(27, 'Architecture Overview', 'Only CONNECT is granted: a PT neither binds nor associates.'),
  trap(28, 'Client Messages', 'A parent takes a CMETHOD whose listener is on [::1].'),
]
