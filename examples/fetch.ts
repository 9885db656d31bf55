/** `node fetch.js bridge.txt [URL]`: a fetch all of whose requests go through a bridge, whose line is in that file. */
import { readFileSync } from 'node:fs'
import { openBridge, readBridgeLines } from 'postern'
import { bridgeFetch } from 'postern/fetch'

const [file = '', url = 'http://bridge.example/'] = process.argv.slice(2)
await using bridge = await openBridge(readBridgeLines(readFileSync(file)))
const response = await bridgeFetch(bridge)(url)
console.log(await response.text())
