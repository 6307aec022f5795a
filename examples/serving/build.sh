#!/bin/sh
# Compiles generate.c against the libraries of the installed tensorflow wheel.
# PYTHON is an interpreter that has it installed; the first argument is the program to write.
set -eu
tensorflow=$("${PYTHON:-python3}" -c 'import importlib.util as u; print(u.find_spec("tensorflow").submodule_search_locations[0])')
${CC:-cc} -O2 -Wall -Wextra -Werror "$(dirname "$0")/generate.c" -o "${1:-generate}" \
    -I "$tensorflow/include" -L "$tensorflow" -Wl,-rpath,"$tensorflow" \
    -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2
