/** `node https-get.js 'obfs4 192.0.2.7:443 cert=… iat-mode=0' [URL]`: https.get through a bridge. */
import { get } from 'node:https'
import { httpsAgent, openBridge } from 'postern'

const [line = '', url = 'https://bridge.example/'] = process.argv.slice(2)
const bridge = await openBridge(line)
get(url, { agent: httpsAgent(bridge) }, (response) => {
  response.pipe(process.stdout)
  response.once('close', () => void bridge.close())
})
