'use strict'

// The page's script: logs in and says who is logged in and how many machines there are. What a test looks for has the names
// of the real Sunstone: the inputs `user` and `token`, and the `data-cy` attributes.

const form = document.getElementById('login')
const message = document.querySelector('[data-cy=login-user-error]')

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  message.textContent = ''
  const user = form.elements.user.value
  const answer = await fetch('/fireedge/api/auth', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ user, token: form.elements.token.value }),
  })
  if (!answer.ok) {
    message.textContent = answer.status === 401 ? 'Wrong username or password' : `The server failed (${answer.status}).`
    return
  }
  const { data } = await answer.json()
  // Since 7.4 the session is a cookie, which the browser sends by itself.
  const headers = data.token ? { Authorization: `Bearer ${data.token}` } : {}
  const pool = await fetch('/fireedge/api/vmpool/info', { headers })
  const vms = pool.ok ? [].concat(((await pool.json()).data.VM_POOL || {}).VM || []).length : 'unknown'
  const layout = document.createElement('div')
  layout.dataset.cy = 'main-layout'
  const menu = document.createElement('button')
  menu.dataset.cy = 'header-user-button'
  menu.textContent = user
  const main = document.createElement('main')
  main.textContent = `Virtual machines: ${vms}`
  layout.append(menu, main)
  document.getElementById('root').replaceChildren(layout)
})
