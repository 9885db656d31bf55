/** `node https-get.js bridge.txt [URL]`: https.get through a bridge, whose line is in that file. */
import { readFileSync } from 'node:fs'
import { get } from 'node:https'
import { httpsAgent, openBridge, readBridgeLines } from 'postern'

const [file = '', url = 'https://bridge.example/'] = process.argv.slice(2)
const bridge = await openBridge(readBridgeLines(readFileSync(file)))
get(url, { agent: httpsAgent(bridge) }, (response) => {
  response.pipe(process.stdout)
  response.once('close', () => void bridge.close())
})
