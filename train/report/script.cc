#include "train/report/script.h"

namespace ampgrad::report {

const char* const kReportScript = R"js(
'use strict';
function sortBy(header) {
  const up = header.getAttribute('aria-sort') !== 'ascending', at = header.cellIndex, sign = up ? 1 : -1;
  const body = header.closest('table').tBodies[0], text = row => row.cells[at].textContent.trim();
  const order = header.classList.contains('number')
    ? (a, b) => {
        const x = parseFloat(text(a)), y = parseFloat(text(b));
        return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
      }
    : (a, b) => sign * text(a).localeCompare(text(b), 'en', {numeric: true});
  for (const other of header.parentElement.cells) other.removeAttribute('aria-sort');
  header.setAttribute('aria-sort', up ? 'ascending' : 'descending');
  body.append(...[...body.rows].sort(order));
}
for (const button of document.querySelectorAll('th > button')) {
  button.addEventListener('click', () => sortBy(button.parentElement));
}
for (const pick of document.querySelectorAll('.pick')) {
  const select = pick.querySelector('select'), ids = [...select.options].map(option => option.value);
  const show = () => {
    for (const id of ids) {
      if (id) document.getElementById(id).hidden = select.value !== '' && select.value !== id;
    }
  };
  select.addEventListener('change', show);
  pick.hidden = false;
  show();
}
for (const pair of document.querySelectorAll('.pair')) {
  const [across, up] = pair.querySelectorAll('select');
  const figureOf = () => document.getElementById(`${pair.dataset.of}-${across.value}-${up.value}`);
  let shown = figureOf(), last = [across.value, up.value];
  const show = () => {
    // No metric stands beside itself: the two change places.
    if (across.value === up.value) [up.value, across.value] = last;
    last = [across.value, up.value];
    shown.hidden = true;
    shown = figureOf();
    shown.hidden = false;
  };
  across.addEventListener('change', show);
  up.addEventListener('change', show);
  pair.hidden = false;
  show();
}
const readout = document.createElement('output');
readout.className = 'readout';
document.body.append(readout);
document.addEventListener('click', event => {
  const cell = event.target.closest('[title]'), mark = event.target.closest('g, svg *');
  const title = mark && mark.querySelector(':scope > title');
  readout.textContent = cell ? cell.title : title ? title.textContent : '';
});
)js";

}  // namespace ampgrad::report
