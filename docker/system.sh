#!/bin/sh
# Lays out the image's file system below /system (no argument), or readies the code in /code ("code").
# Runs in the building stages only; no line of it and nothing it uses reaches the image.
set -eu

# What Python needs to start, to speak TLS, to compress and to call prctl; ffmpeg needs libc and libgcc.
# ffprobe needs nothing. Left out though Python's package asks for it: see prune().
packages="
base-files
libc6 libgcc-s1
python3.13-minimal libpython3.13-minimal libpython3.13-stdlib
libssl3t64 libzstd1 zlib1g
libexpat1 libffi8 libbz2-1.0 liblzma5
"

sources() {
    # The same three suites whatever base this runs on, so that every base gives the same image.
    rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
    archive="$DEBIAN_MIRROR/debian" security="$DEBIAN_MIRROR/debian-security" options=""
    if [ -n "$DEBIAN_SNAPSHOT" ]; then
        archive="http://snapshot.debian.org/archive/debian/$DEBIAN_SNAPSHOT"
        security="http://snapshot.debian.org/archive/debian-security/$DEBIAN_SNAPSHOT"
        options="[check-valid-until=no]"
    fi
    cat > /etc/apt/sources.list <<SOURCES
deb $options $archive trixie main
deb $options $archive trixie-updates main
deb $options $security trixie-security main
SOURCES
    dpkg --add-architecture "$TARGETARCH"
    apt-get -qq -o Acquire::Retries=3 -o Acquire::Languages=none update
}

unpack() {
    # dpkg-deb runs no maintainer script, so a package for another architecture is no different.
    mkdir -p /packages /system/var/lib/dpkg/status.d
    cd /packages
    for package in $packages; do
        set -- "$@" "$package:$TARGETARCH"
    done
    apt-get -qq -o Acquire::Retries=3 -o APT::Sandbox::User=root download "$@"
    for deb in *.deb; do
        dpkg-deb -x "$deb" /system
        # Where vulnerability scanners look for the packages of an image without dpkg.
        dpkg-deb -f "$deb" > "/system/var/lib/dpkg/status.d/$(dpkg-deb -f "$deb" Package)"
    done
}

prune() {
    cd /system
    # Programs: one interpreter, nothing else. (The loader lies in usr/lib.)
    find usr/bin usr/sbin usr/games \( -type f -o -type l \) ! -name python3.13 -delete 2> /dev/null || true
    ln -s python3.13 usr/bin/python3
    # Modules that can be run as scripts, and libc, which prints its version when it is run.
    find usr/lib -type f ! -name 'ld-*' -perm /111 -exec chmod a-x {} +
    # Every licence stays; what people read, translate or log in with goes.
    find usr/share/doc -type f ! -name copyright -delete
    rm -rf usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/bug usr/share/menu \
        usr/share/applications usr/share/pixmaps usr/share/binfmts usr/share/base-files usr/share/python3 \
        usr/share/gcc usr/share/gdb usr/share/dict usr/share/misc usr/src usr/lib/mime usr/lib/valgrind \
        etc/profile.d etc/update-motd.d etc/skel etc/opt etc/issue etc/issue.net etc/dpkg etc/python3.13 \
        boot home media mnt opt root run srv sys/* tmp proc/* var/backups var/cache var/lib/misc var/local \
        var/lock var/log var/mail var/opt var/run var/spool var/tmp usr/games usr/local usr/include
    # Conversions to legacy character sets, hooks and debugging aids of the loader, OpenSSL's engines.
    rm -rf usr/lib/*-linux-gnu/gconv usr/lib/*-linux-gnu/audit usr/lib/*-linux-gnu/engines-3 \
        usr/lib/*-linux-gnu/libmemusage.so usr/lib/*-linux-gnu/libpcprofile.so \
        usr/lib/*-linux-gnu/libc_malloc_debug.so* usr/lib/*-linux-gnu/libthread_db.so* \
        usr/lib/*-linux-gnu/libnsl.so* usr/lib/*-linux-gnu/libnss_hesiod.so* \
        usr/lib/*-linux-gnu/libnss_compat.so* usr/lib/*-linux-gnu/libBrokenLocale.so*
    # Parts of the standard library that a worker has no use for, with the libraries only they would want
    # (readline, ncurses, sqlite, Berkeley DB, uuid: not unpacked above).
    cd usr/lib/python3.13
    rm -rf curses dbm ensurepip idlelib lib2to3 pydoc_data sqlite3 test tkinter turtledemo venv _pyrepl \
        pydoc.py turtle.py webbrowser.py antigravity.py this.py sitecustomize.py
    rm -f lib-dynload/_curses*.so lib-dynload/_dbm*.so lib-dynload/_gdbm*.so lib-dynload/_sqlite3*.so \
        lib-dynload/_uuid*.so lib-dynload/readline*.so lib-dynload/_test*.so lib-dynload/_ctypes_test*.so \
        lib-dynload/_xx*.so lib-dynload/xx*.so
    # Python's East Asian codecs, a megabyte of tables.
    rm -f lib-dynload/_codecs_*.so lib-dynload/_multibytecodec*.so
}

accounts() {
    mkdir -p /system/dev /system/etc/ssl/certs /system/proc /system/sys /scratch
    cat > /system/etc/passwd <<PASSWD
root:x:0:0:root:/nonexistent:/nonexistent
worker:x:1000:1000:worker:/nonexistent:/nonexistent
PASSWD
    printf 'root:x:0:\nworker:x:1000:\n' > /system/etc/group
    printf 'passwd: files\ngroup: files\nhosts: files dns\n' > /system/etc/nsswitch.conf
    cp /etc/ssl/certs/ca-certificates.crt /system/etc/ssl/certs/
}

compile() {
    # unchecked-hash needs no file times, so the bytes are the same whenever and wherever this runs.
    python3.13 -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$1" -p "$2" \
        "$1" 2> /dev/null # (warnings about escapes in old third-party strings)
}

case "${1:-system}" in
system)
    sources
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends ca-certificates python3.13 > /dev/null
    unpack
    prune
    accounts
    compile /system/usr/lib/python3.13 /usr/lib/python3.13
    # apt's memory of this hour is of no use to anybody.
    rm -rf /packages /var/lib/apt/lists
    ;;
code)
    for half in site app; do
        find "/code/$half" -name __pycache__ -type d -prune -exec rm -rf {} +
        compile "/code/$half" /usr/local/lib/python3.13/dist-packages
    done
    ;;
esac
