# SPDX-License-Identifier: GPL-2.0-or-later
# A layer is a folder: its sources make the static library vt_NAME, its *_test.cpp files the test program NAME_test.
#
#   vt_layer(NAME [APART] [SUBDIRS dir...] [DEPS vt_lower...] [LIBRARIES target...])
#
# DEPS are lower layers, LIBRARIES external libraries. All layers together make libvtcore.so (see runner/CMakeLists.txt),
# but for those that stand APART: their libraries are heavy and seldom needed, so they are in a shared library of their own.

# What nearly every file includes is compiled once, for position independent code (layers) and executables (tests).
# Sources still include all that they use: the builds with clang go without.
function(vt_precompiled target kind)
    if(VT_PCH)
        target_precompile_headers(${target} REUSE_FROM vt_pch_${kind})
    endif()
endfunction()

# A unit test runs once for each time it is compiled. Not -O0: what headers instantiate is linked from the test too.
function(vt_quickly_compiled target)
    if(CMAKE_BUILD_TYPE STREQUAL "Release")
        target_compile_options(${target} PRIVATE -O1)
    endif()
endfunction()

if(VT_PCH)
    add_library(vt_pch_layer STATIC ${CMAKE_SOURCE_DIR}/cmake/nothing.cpp)
    target_link_libraries(vt_pch_layer PRIVATE fmt::fmt nlohmann_json::nlohmann_json)
    target_precompile_headers(vt_pch_layer PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled.hpp)
    if(VT_TESTS)
        add_executable(vt_pch_program ${CMAKE_SOURCE_DIR}/cmake/nothing.cpp)
        set_target_properties(vt_pch_program PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/pch)
        vt_quickly_compiled(vt_pch_program)
        target_link_libraries(vt_pch_program PRIVATE fmt::fmt nlohmann_json::nlohmann_json doctest::doctest vt_test_main)
        target_precompile_headers(vt_pch_program PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled.hpp <doctest/doctest.h>)
    endif()
endif()

function(vt_layer name)
    cmake_parse_arguments(ARG "APART" "" "SUBDIRS;DEPS;LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
    set(sources)
    set(tests)
    foreach(dir . ${ARG_SUBDIRS})
        file(GLOB found CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*.cpp)
        foreach(file ${found})
            if(file MATCHES "_test\\.cpp$")
                list(APPEND tests ${file})
            else()
                list(APPEND sources ${file})
            endif()
        endforeach()
    endforeach()
    if(NOT sources)  # headers only
        add_library(vt_${name} INTERFACE)
        target_include_directories(vt_${name} INTERFACE ${CMAKE_SOURCE_DIR})
        target_link_libraries(vt_${name} INTERFACE ${ARG_DEPS} ${ARG_LIBRARIES})
        return()
    endif()
    add_library(vt_${name} STATIC ${sources})
    vt_precompiled(vt_${name} layer)
    target_include_directories(vt_${name} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(vt_${name} PUBLIC ${ARG_DEPS} ${ARG_LIBRARIES} PRIVATE ${ARG_PRIVATE_LIBRARIES})
    if(NOT ARG_APART)
        set_property(GLOBAL APPEND PROPERTY VT_LAYERS vt_${name})
    endif()
    if(tests AND VT_TESTS)
        add_executable(${name}_test ${tests})
        vt_precompiled(${name}_test program)
        vt_quickly_compiled(${name}_test)
        target_link_libraries(${name}_test PRIVATE vt_${name} doctest::doctest vt_test_main)
        set_target_properties(${name}_test PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
        add_test(NAME ${name} COMMAND ${name}_test)
    endif()
endfunction()

# doctest's main, compiled once.
if(VT_TESTS)
    add_library(vt_test_main STATIC ${CMAKE_SOURCE_DIR}/tests/unit/test_main.cpp)
endif()
