/**
 * The sentence of the draft that each statement rests on, in the draft's own words; `statementOf` has ours beside it.
 * The Extended ORPort is described in the documents that the draft refers to, and here stands what it says of it.
 */
const sentences: Readonly<Record<string, string>> = {
  'ARCH-1': 'Each invocation of a PT MUST be either a client OR a server.',
  'ARCH-2': 'All PT client forward proxies MUST support either SOCKS 4 or SOCKS 5',
  'ARCH-3': 'and SHOULD prefer SOCKS 5 over SOCKS 4.',
  'ARCH-4':
    "On the server's host, the PT Server software exposes a reverse proxy that accepts connections from PT Clients, and handles reversing the obfuscation/transformation applied to traffic, before forwarding it to the actual server software.",
  'FLOW-1':
    'Parent process sets the required environment values (3.2) and launches the PT proxy as a sub-process (fork()/exec()).',
  'FLOW-2':
    'If there are no compatible versions, the PT proxy writes a "VERSION-ERROR" message (3.3.1) to stdout and terminates.',
  'FLOW-3':
    'If the environment values are malformed, or otherwise invalid, the PT proxy writes a "ENV-ERROR" message (3.3.1) to stdout and terminates.',
  'FLOW-4':
    '(Client only) If there is an upstream proxy specified via "TOR_PT_PROXY" (3.2.2), the PT proxy validates the URI provided.',
  'FLOW-5': 'The PT Proxy initializes the transports and reports the status via stdout (3.3.2, 3.3.3)',
  'FLOW-6': 'The PT Proxy forwards and transforms traffic as appropriate.',
  'FLOW-7': 'Upon being signaled to terminate by the parent process (3.4), the PT Proxy gracefully shuts down.',
  'NAME-1':
    'PT names MUST be valid C identifiers. PT names MUST begin with a letter or underscore, and the remaining characters MUST be ASCII letters, numbers or underscores. No length limit is imposed.',
  'NAME-2': 'Pluggable Transport names serve as unique identifiers, and every PT MUST have a unique name.',
  'ENV-1':
    'Specifies the versions of the Pluggable Transport specification the parent process supports, delimited by commas.',
  'ENV-2': 'All PTs MUST accept any well-formed list, as long as a compatible version is present.',
  'ENV-3': 'Valid versions MUST consist entirely of non-whitespace, non-comma printable ASCII characters.',
  'ENV-4':
    'Specifies an absolute path to a directory where the PT is allowed to store state that will be persisted across invocations.',
  'ENV-5':
    'The directory is not required to exist when the PT is launched, however PT implementations SHOULD be able to create it as required.',
  'ENV-6':
    'PTs MUST only store files in the path provided, and MUST NOT create or modify files elsewhere on the system.',
  'ENV-7': 'PTs MUST NOT treat a closed stdin as a signal to terminate unless this environment variable is set to `1`.',
  'ENV-8':
    'PTs SHOULD treat stdin being closed as a signal to gracefully terminate if this environment variable is set to `1`.',
  'CENV-1': 'Parent processes MUST set this environment variable when launching a client-side PT proxy instance.',
  'CENV-2': 'PTs SHOULD ignore PT names that it does not recognize.',
  'CENV-3': 'Specifies an upstream proxy that the PT MUST use when making outgoing network connections.',
  'CENV-4': 'It is a URI [RFC3986] of the format: <proxy_type>://[<user_name>[:password][@]<ip>:<port>.',
  'CENV-5':
    'The `TOR_PT_PROXY` environment variable is OPTIONAL and MUST be omitted if there is no need to connect via an upstream proxy.',
  'SENV-1':
    'Parent processes MUST set this environment variable when launching a server-side PT reverse proxy instance.',
  'SENV-2': 'PTs SHOULD ignore PT names that it does not recognize.',
  'SENV-3':
    'Specifies per-PT protocol configuration directives, as a semicolon-separated list of <key>:<value> pairs, where <key> is a PT name and <value> is a k=v string value with options that are to be passed to the transport.',
  'SENV-4': 'Colons, semicolons, and backslashes MUST be escaped with a backslash.',
  'SENV-5':
    'If there are no arguments that need to be passed to any of PT transport protocols, "TOR_PT_SERVER_TRANSPORT_OPTIONS" MAY be omitted.',
  'SENV-6':
    'If there is no specific <address>:<port> combination to be configured for any transports, "TOR_PT_SERVER_BINDADDR" MAY be omitted.',
  'SENV-7': 'The keys holding transport names MUST be in the same order as they appear in "TOR_PT_SERVER_TRANSPORTS".',
  'SENV-8':
    'The <address>:<port> combination MUST be an IP address supported by `bind()`, and MUST NOT be a host name.',
  'SENV-9': 'Applications MUST NOT set more than one <address>:<port> pair per PT name.',
  'SENV-10': 'Connections to the destination specified via "TOR_PT_ORPORT" MUST only contain application payload.',
  'SENV-11':
    'Specifies the destination that the PT reverse proxy should forward traffic to, via the Extended ORPort protocol [EXTORPORT] as an <address>:<port>.',
  'SENV-12':
    'If the parent process does not support the ExtORPort protocol, it MUST set "TOR_PT_EXTENDED_SERVER_PORT" to an empty string.',
  'SENV-13':
    'Specifies an absolute filesystem path to the Extended ORPort authentication cookie, required to communicate with the Extended ORPort specified via "TOR_PT_EXTENDED_SERVER_PORT".',
  'SENV-14':
    'If the parent process is not using the ExtORPort protocol for incoming traffic, "TOR_PT_AUTH_COOKIE_FILE" MUST be omitted.',
  'LINE-1':
    'All Pluggable Transport Proxies communicate to the parent process via writing NL-terminated lines to stdout.',
  'LINE-2': 'The parent process MUST ignore lines received from PT proxies with unknown keywords.',
  'VER-1':
    'PT proxies MUST either report an error and terminate, or output a "VERSION" message before moving on to client/server proxy initialization and configuration.',
  'VER-2':
    'The <ErrorMessage> SHOULD be set to "no-version" for historical reasons but MAY be set to a useful error message instead.',
  'VER-3': 'PT proxies MUST terminate after outputting a "VERSION-ERROR" message.',
  'VER-4': 'The version for the environment values and reply messages specified by this document is "1".',
  'ERR-1':
    'The <ErrorMessage> SHOULD consist of a useful error message that can be used to diagnose and correct the root cause of the failure.',
  'ERR-2': 'PT proxies MUST terminate after outputting a "ENV-ERROR" message.',
  'PROXY-1':
    'After negotiating the Pluggable Transport Specification version, PT client proxies MUST first validate "TOR_PT_PROXY" (3.2.2) if it is set, before initializing any transports.',
  'PROXY-2':
    'Assuming that an upstream proxy is provided, PT client proxies MUST respond with a message indicating that the proxy is valid, supported, and will be used OR a failure message.',
  'PROXY-3': 'PT proxies MUST terminate immediately after outputting a "PROXY-ERROR" message.',
  'CM-1':
    'The "CMETHOD" message is used to signal that a requested PT transport has been launched, the protocol which the parent should use to make outgoing connections, and the IP address and port that the PT transport\'s forward proxy is listening on.',
  'CM-2': 'The "CMETHOD-ERROR" message is used to signal that requested PT transport was unable to be launched.',
  'CM-3':
    'Once all PT transports have been initialized (or have failed), the PT proxy MUST send a final message indicating that it has finished initializing.',
  'CM-4':
    'Unknown transports in "TOR_PT_CLIENT_TRANSPORTS" are ignored entirely, and MUST NOT result in a "CMETHOD-ERROR" message.',
  'CM-5':
    'Parent processes MUST handle "CMETHOD"/"CMETHOD-ERROR" messages in any order, regardless of ordering in "TOR_PT_CLIENT_TRANSPORTS".',
  'SM-1':
    'The "SMETHOD" message is used to signal that a requested PT transport has been launched, the protocol which will be used to handle incoming connections, and the IP address and port that clients should use to reach the reverse-proxy.',
  'SM-2':
    'If there is a specific <address:port> provided for a given PT transport via "TOR_PT_SERVER_BINDADDR", the transport MUST be initialized using that as the server address.',
  'SM-3':
    'The "ARGS" option is used to pass additional key/value formatted information that clients will require to use the reverse proxy.',
  'SM-4': 'Equal signs and commas MUST be escaped with a backslash.',
  'SM-5':
    'The "SMETHOD-ERROR" message is used to signal that requested PT transport reverse proxy was unable to be launched.',
  'SM-6':
    'Once all PT transports have been initialized (or have failed), the PT proxy MUST send a final message indicating that it has finished initializing.',
  'LOG-1': 'The accepted values for <Severity> are: error, warning, notice, info, debug',
  'LOG-2':
    'It is not intended for the parent process to parse and act accordingly but rather a message used for plain logging.',
  'STATUS-1': 'The <K_n>=<V_n> values are specific to the PT and there has to be at least one.',
  'STATUS-2':
    'This message is for a client or server PT to be able to signal back to the parent process via stdout or stderr any status messages.',
  'STOP-1': 'Wait for a "reasonable" amount of time for the PT to exit.',
  'STOP-2':
    'PT proxies SHOULD monitor stdin, and exit gracefully when it is closed, if the parent supports that behavior.',
  'STOP-3':
    "PT proxies SHOULD handle OS specific mechanisms to gracefully terminate (eg: Install a signal handler on 'SIGTERM' that causes cleanup and a graceful shutdown if able).",
  'STOP-4':
    "PT proxies SHOULD attempt to detect when the parent has terminated (eg: via detecting that it's parent process ID has changed on U*IX systems), and gracefully terminate.",
  'ARGS-1':
    'On the client side, arguments are passed via the authentication fields that are part of the SOCKS protocol.',
  'ARGS-2':
    'First the "<Key>=<Value>" formatted arguments MUST be escaped, such that all backslash, equal sign, and semicolon characters are escaped with a backslash.',
  'ARGS-3':
    'In the case of SOCKS 4, the concatenated argument list is transmitted in the "USERID" field of the "CONNECT" request.',
  'ARGS-4':
    'In the case of SOCKS 5, the parent process must negotiate "Username/Password" authentication [RFC1929], and transmit the arguments encoded in the "UNAME" and "PASSWD" fields.',
  'ARGS-5':
    'If the encoded argument list is less than 255 bytes in length, the "PLEN" field must be set to "1" and the "PASSWD" field must contain a single NUL character.',
  'ARGS-6':
    'First the "<Key>=<Value>" formatted arguments MUST be escaped, such that all backslash, equal sign, and semicolon characters are escaped with a backslash.',
  'ANON-1': 'Not logging client IP addresses to disk.',
  'ANON-2': 'Not leaking DNS addresses except when necessary.',
  'ANON-3': 'Ensuring that "TOR_PT_PROXY"\'s "fail closed" behavior is implemented correctly.',
  'ANON-4':
    'Additionally, certain obfuscation mechanisms rely on information such as the server IP address/port being confidential, so clients also need to take care to preserve server side information confidential when applicable.',
  'EXT-1':
    'Specifies an absolute filesystem path to the Extended ORPort authentication cookie, required to communicate with the Extended ORPort specified via "TOR_PT_EXTENDED_SERVER_PORT".',
  'EXT-2':
    'The Extended ORPort protocol allows the PT reverse proxy to communicate per-connection metadata such as the PT name and client IP address/port to the parent process',
  'EXT-3':
    'The Extended ORPort protocol allows the PT reverse proxy to communicate per-connection metadata such as the PT name and client IP address/port to the parent process',
}

/** Returns the sentence of the draft; empty for a trap, which the draft does not mention. */
export function sentenceOf(id: string): string {
  return sentences[id] ?? ''
}
