'use strict'

// The page's script: logs in and says who is logged in and how many machines there are.

const form = document.getElementById('login')
const message = document.getElementById('message')

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
    message.textContent = answer.status === 401 ? 'Wrong username or password.' : `The server failed (${answer.status}).`
    return
  }
  const { data } = await answer.json()
  const pool = await fetch('/fireedge/api/vmpool/info', { headers: { Authorization: `Bearer ${data.token}` } })
  const vms = pool.ok ? [].concat(((await pool.json()).data.VM_POOL || {}).VM || []).length : 'unknown'
  const main = document.createElement('main')
  const title = document.createElement('h1')
  title.textContent = `Logged in as ${user}`
  const text = document.createElement('p')
  text.id = 'machines'
  text.textContent = `Virtual machines: ${vms}`
  main.append(title, text)
  document.getElementById('root').replaceChildren(main)
})
