addEventListener('load', () => {
    const said = [];
    const say = (name, value) => said.push(name + ' ' + value);
    const page = document.documentElement;
    say('width', innerWidth);
    say('errors', errors);
    say('loads', performance.getEntriesByType('resource').length);
    say('overflow', Math.max(0, page.scrollWidth - page.clientWidth));
    document.querySelectorAll('figure.chart').forEach(chart => say('chart', chart.classList[1]));
    let outside = 0, overlaps = 0, empty = 0;
    document.querySelectorAll('figure.chart svg').forEach(svg => {
        const frame = svg.getBoundingClientRect();
        const shown = [...svg.querySelectorAll('text')].map(text => text.getBoundingClientRect()).filter(box => box.width);
        shown.forEach((box, at) => {
            if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) outside++;
            shown.slice(at + 1).forEach(other => {
                const across = Math.min(box.right, other.right) - Math.max(box.left, other.left);
                const down = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
                if (across > 1 && down > 4) overlaps++;
            });
        });
        if (![...svg.querySelectorAll('polyline, path[stroke-linecap]')].some(line => line.getBoundingClientRect().width > 5)) empty++;
    });
    say('outside', outside);
    say('overlaps', overlaps);
    say('empty', empty);
    let report = 0;
    try { report = JSON.parse(document.getElementById('report').textContent).schema } catch (error) { errors++ }
    say('report', report);
    parent.postMessage(said.join(String.fromCharCode(10)), '*');
});
