# SPDX-License-Identifier: GPL-2.0-or-later
# A layer is a folder: its sources make the static library vt_NAME, its *_test.cpp files the test program NAME_test.
#
#   vt_layer(NAME [SUBDIRS dir...] [DEPS vt_lower...] [LIBRARIES target...])
#
# DEPS are lower layers, LIBRARIES external libraries. All layers together make libvtcore.so (see runner/CMakeLists.txt).
function(vt_layer name)
    cmake_parse_arguments(ARG "" "" "SUBDIRS;DEPS;LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
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
    target_include_directories(vt_${name} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(vt_${name} PUBLIC ${ARG_DEPS} ${ARG_LIBRARIES} PRIVATE ${ARG_PRIVATE_LIBRARIES})
    set_property(GLOBAL APPEND PROPERTY VT_LAYERS vt_${name})
    if(tests AND VT_TESTS)
        add_executable(${name}_test ${tests})
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
