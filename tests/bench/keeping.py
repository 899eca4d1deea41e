"""keeping.py: what spool and forwarding cost: tests/tools/pump.c puts real profiles into a store and
sends them to four backends (sink.py, another process, not counted)."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from programs import BUILD, HERE, ROOT, CannotRun, Pillion, fetch, target

RATE = 50
FILES = 20000
KINDS = ("cpu", "heap", "goroutine")
BACKENDS = ("pyroscope", "parca", "otlp", "datadog")


def small_profiles(folder):
    """Profiles that a small Go program took of itself: 1 to 8 KB, not packed."""
    src = os.path.join(folder, "src")
    os.makedirs(src)
    shutil.copy(os.path.join(ROOT, "tests/targets/goprofiles/main.go"), src)
    with open(os.path.join(src, "go.mod"), "w") as f:
        f.write("module goprofiles\n\ngo 1.21\n")
    env = dict(os.environ, GOFLAGS="-mod=mod")
    subprocess.run(["go", "build", "-o", "goprofiles", "."], cwd=src, env=env, check=True)
    subprocess.run(["./goprofiles", folder], cwd=src, check=True)
    return [os.path.join(folder, k + ".pb.gz") for k in KINDS]


def large_profile(folder):
    """10 s of CPU of a program with pprof labels, as we take it: 50 KB and more."""
    path = os.path.join(folder, "cpu.labels.pb.gz")
    with target("demo") as go:
        with Pillion(go.pid) as pillion:
            answer = fetch(pillion.url + "profile?seconds=10", pillion.token)[0]
    with open(path, "wb") as f:
        f.write(answer)
    return path


def pump(folder, port, rate, count, files):
    config = os.path.join(folder, "pillion.yaml")
    with open(config, "w") as f:
        f.write("labels: {service_name: bench}\nspool: {dir: %s/spool}\nforward:\n" % folder)
        for b in BACKENDS:
            f.write('  - {name: %s, type: %s, url: "http://127.0.0.1:%d"}\n' % (b, b, port))
    done = subprocess.run([os.path.join(BUILD, "tools/pump"), config, str(rate), str(count)] + files,
                          stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise CannotRun("pump ended with %d" % done.returncode)
    answer = json.loads(done.stdout)
    if count and any(b["taken"] != count for b in answer["backends"]):
        raise CannotRun("not all profiles were taken: %s" % answer["backends"])
    return answer


def percent(answer):
    return 100 * (answer["user_s"] + answer["system_s"]) / (answer["put"] / RATE)


def many_files(folder):
    """One real file under 20,000 names, as after a long outage: names and sizes are looked at."""
    spool = os.path.join(folder, "spool/parca")
    os.makedirs(spool, exist_ok=True)
    content = os.urandom(2000)
    began = time.time_ns() - FILES * 10**9 // 2  # not too old to be sent
    for i in range(FILES):
        with open(os.path.join(spool, "%019d-cpu-%032x.plsp" % (began + i * 10**9 // 2, i)), "wb") as f:
            f.write(content)


def keeping(table, quick):
    folder = tempfile.mkdtemp(prefix="pillion-bench-")
    sink = subprocess.Popen([sys.executable, os.path.join(HERE, "sink.py")], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    try:
        port = int(sink.stdout.readline().split()[1])
        small = small_profiles(folder)
        large = large_profile(folder)
        table.area("collected profiles into four backends (pyroscope, parca, otlp, datadog)")
        count = 500 if quick else 1500
        row = pump(folder, port, RATE, count, small)
        table.row("%d a second, %.1f KB each on average: CPU of one core" % (
            RATE, sum(row["raw_bytes"]) / len(row["raw_bytes"]) / 1e3), "%", percent(row), None, None,
            "<=", 10)
        row = pump(folder, port, RATE, count, [large])
        table.row("  the same, each %.0f KB of CPU samples with labels" % (row["raw_bytes"][0] / 1e3), "%",
                  percent(row))
        count = int(os.environ.get("BENCH_PROFILES", 1000 if quick else 5000))
        row = pump(folder, port, 0, count, small)
        rss = row["rss_kib"]
        table.row("%d as fast as they go: a second" % count, "", round(count / row["wall_s"]))
        table.row("  RSS after a quarter", "MiB", rss[len(rss) // 4] / 1024)
        table.row("  growth from there to the end", "MiB", (rss[-1] - rss[len(rss) // 4]) / 1024)
        many_files(folder)
        row = pump(folder, port, 0, 0, [])
        if row["waiting"] != FILES:
            raise CannotRun("%d of %d waiting files were found" % (row["waiting"], FILES))
        table.row("start with %d waiting files" % FILES, "s", row["open_s"], None, None, "<=", 1)
    finally:
        sink.stdin.close()
        sink.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
